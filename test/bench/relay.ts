/** (1) A trace of 512 MB through the edge, on Node and on Deno, against nginx in front of the same node: one client, and ten with one of them slow. */

import type { BytesPlan } from "./support/load.ts";
import { startNginx } from "./support/nginx.ts";
import { BENCH_RUN, TRACE_BYTES } from "./support/origin.ts";
import { BENCH_KEY, forgetPeak, load, memory, type Running, startEdge, startOrigin } from "./support/processes.ts";
import { type BenchResult, median } from "./support/result.ts";

const ROUNDS = 3;
const SLOW_BYTES_PER_SECOND = 1_000_000;

type Target = { name: string; process: Running; port: number; path: string };
type Measured = { one: number[]; ten: number[]; idleMb: number; onePeakMb: number[]; tenPeakMb: number[] };

export async function bench(): Promise<BenchResult> {
  await using origin = await startOrigin();
  await using unbuffered = await startNginx(origin.said, "off");
  await using buffered = await startNginx(origin.said, "on");
  await using onNode = await startEdge("node", origin.said);
  await using onDeno = await startEdge("deno", origin.said);

  const ofNode = `/live/runs/${BENCH_RUN}/recording/trace`;
  const ofEdge = `/runs/${BENCH_RUN}/recording/trace`;
  const port = (url: string) => Number(new URL(url).port);
  const targets: Target[] = [
    { name: "the node alone", process: origin, port: port(origin.said), path: ofNode },
    { name: "nginx, proxy_buffering off", process: unbuffered, port: unbuffered.port, path: ofNode },
    { name: "nginx, proxy_buffering on", process: buffered, port: buffered.port, path: ofNode },
    { name: "edge on Node", process: onNode, port: port(onNode.said), path: ofEdge },
    { name: "edge on Deno", process: onDeno, port: port(onDeno.said), path: ofEdge },
  ];
  const measured = new Map<string, Measured>(
    targets.map(({ name, process }) => [name, { one: [], ten: [], idleMb: memory(process.pid).nowMb, onePeakMb: [], tenPeakMb: [] }]),
  );
  for (let round = 0; round < ROUNDS; round++) {
    for (const target of targets) {
      const { one, ten, onePeakMb, tenPeakMb } = measured.get(target.name) as Measured;
      forgetPeak(target.process.pid);
      one.push((await load(plan(target, 1, null))).megabytesPerSecond);
      onePeakMb.push(memory(target.process.pid).peakMb);
      forgetPeak(target.process.pid);
      ten.push((await load(plan(target, 9, SLOW_BYTES_PER_SECOND))).megabytesPerSecond);
      tenPeakMb.push(memory(target.process.pid).peakMb);
    }
  }

  const of = (name: string, field: "one" | "ten") => median((measured.get(name) as Measured)[field]);
  const over = (name: string) => Math.max(...(measured.get(name) as Measured).tenPeakMb) - (measured.get(name) as Measured).idleMb;
  const nginx = "nginx, proxy_buffering off";
  const times = (name: string, field: "one" | "ten") => of(name, field) / of(nginx, field);
  return {
    title: `Relay of a ${TRACE_BYTES / 1024 / 1024} MB trace, median of ${ROUNDS} rounds`,
    notes: [unbuffered.config, "The second nginx differs in proxy_buffering only."],
    table: [
      ["", "1 client MB/s", "of nginx", "peak MB", "9 + 1 slow MB/s", "of nginx", "peak MB", "over idle"],
      ...targets.map(({ name }) => [
        name,
        of(name, "one").toFixed(0),
        times(name, "one").toFixed(2),
        Math.max(...(measured.get(name) as Measured).onePeakMb).toFixed(0),
        of(name, "ten").toFixed(0),
        times(name, "ten").toFixed(2),
        Math.max(...(measured.get(name) as Measured).tenPeakMb).toFixed(0),
        over(name).toFixed(0),
      ]),
    ],
    aims: [
      { what: "edge on Node, one client, against nginx", value: times("edge on Node", "one"), unit: "×", aim: 1.2, better: "more" },
      { what: "edge on Node, ten clients, against nginx", value: times("edge on Node", "ten"), unit: "×", aim: 1.2, better: "more" },
      { what: "edge on Deno, one client, against nginx", value: times("edge on Deno", "one"), unit: "×", aim: 1.5, better: "more" },
      { what: "edge on Deno, ten clients, against nginx", value: times("edge on Deno", "ten"), unit: "×", aim: 1.5, better: "more" },
      { what: "edge on Node, memory over idle with ten clients", value: over("edge on Node"), unit: "MB", aim: 75, better: "less" },
      { what: "edge on Deno, memory over idle with ten clients", value: over("edge on Deno"), unit: "MB", aim: 75, better: "less" },
    ],
  };
}

const plan = ({ port, path }: Target, clients: number, slowBytesPerSecond: number | null): BytesPlan => ({
  kind: "bytes",
  port,
  path,
  headers: { Authorization: `Bearer ${BENCH_KEY}` },
  clients,
  slowBytesPerSecond,
  bytes: TRACE_BYTES,
});
