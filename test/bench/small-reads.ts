/** (2) Small reads: `GET /runs/{id}` of a live run through the edge, on Node and on Deno, against nginx in front of the same node. */

import type { ReadsOutcome, ReadsPlan } from "./support/load.ts";
import { startNginx } from "./support/nginx.ts";
import { BENCH_RUN } from "./support/origin.ts";
import { BENCH_KEY, load, startEdge, startOrigin } from "./support/processes.ts";
import { type BenchResult, median } from "./support/result.ts";

const ROUNDS = 5;
const CONNECTIONS = 32;
const SECONDS = 3;

export async function bench(): Promise<BenchResult> {
  await using origin = await startOrigin();
  await using nginx = await startNginx(origin.said, "off");
  await using onNode = await startEdge("node", origin.said);
  await using onDeno = await startEdge("deno", origin.said);

  const plan = (url: string, path: string): ReadsPlan => ({
    kind: "reads",
    port: Number(new URL(url).port),
    path,
    headers: { Authorization: `Bearer ${BENCH_KEY}` },
    connections: CONNECTIONS,
    seconds: SECONDS,
  });
  const plans: Record<string, ReadsPlan> = {
    "the node alone": plan(origin.said, `/live/runs/${BENCH_RUN}`),
    nginx: plan(`http://127.0.0.1:${nginx.port}`, `/live/runs/${BENCH_RUN}`),
    "edge on Node": plan(onNode.said, `/runs/${BENCH_RUN}`),
    "edge on Deno": plan(onDeno.said, `/runs/${BENCH_RUN}`),
  };
  const outcomes: Record<string, ReadsOutcome[]> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, each] of Object.entries(plans)) outcomes[name] = [...(outcomes[name] ?? []), await load(each)];
  }
  const of = (name: string, field: keyof ReadsOutcome) => median((outcomes[name] ?? []).map((each) => each[field]));
  const names = Object.keys(plans);
  return {
    title: `Small reads: ${CONNECTIONS} connections, ${SECONDS} s, median of ${ROUNDS} rounds`,
    notes: [nginx.config],
    table: [
      ["", "requests/s", "of nginx", "median ms", "p99 ms"],
      ...names.map((name) => [
        name,
        of(name, "requestsPerSecond").toFixed(0),
        (of(name, "requestsPerSecond") / of("nginx", "requestsPerSecond")).toFixed(2),
        of(name, "medianMs").toFixed(2),
        of(name, "p99Ms").toFixed(2),
      ]),
    ],
    aims: ["edge on Node", "edge on Deno"].flatMap((name) => [
      {
        what: `${name}, requests a second against nginx`,
        value: of(name, "requestsPerSecond") / of("nginx", "requestsPerSecond"),
        unit: "×",
        aim: 0.6,
        better: "more" as const,
      },
      {
        what: `${name}, longer than nginx at the median`,
        value: of(name, "medianMs") - of("nginx", "medianMs"),
        unit: "ms",
        aim: 1,
        better: "less" as const,
      },
    ]),
  };
}
