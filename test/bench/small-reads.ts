/**
 * (2) Small reads: `GET /runs/{id}` of a live run through the edge, on Node and on Deno, against nginx in front of the same node, and against the
 * least that a proxy can be on either runtime.
 */

import type { ReadsOutcome, ReadsPlan } from "./support/load.ts";
import { startNginx } from "./support/nginx.ts";
import { BENCH_RUN } from "./support/origin.ts";
import { BENCH_KEY, load, startBareProxy, startEdge, startOrigin } from "./support/processes.ts";
import { type BenchResult, median } from "./support/result.ts";

const ROUNDS = 5;
const SECONDS = 2;
/** As many as keep everything busy; and a few, whose answers are late by what stands in front of the node, not by each other. */
const [MANY, FEW] = [32, 4];

export async function bench(): Promise<BenchResult> {
  await using origin = await startOrigin();
  await using nginx = await startNginx(origin.said, "off");
  await using edgeOnNode = await startEdge("node", origin.said);
  await using edgeOnDeno = await startEdge("deno", origin.said);
  await using bareOnNode = await startBareProxy("node", origin.said);
  await using bareOnDeno = await startBareProxy("deno", origin.said);

  const plan = (url: string, path: string) => ({
    kind: "reads" as const,
    port: Number(new URL(url).port),
    path,
    headers: { Authorization: `Bearer ${BENCH_KEY}` },
    seconds: SECONDS,
  });
  const ofNode = `/live/runs/${BENCH_RUN}`;
  const plans: Record<string, Omit<ReadsPlan, "connections">> = {
    "the node alone": plan(origin.said, ofNode),
    nginx: plan(`http://127.0.0.1:${nginx.port}`, ofNode),
    "edge on Node": plan(edgeOnNode.said, `/runs/${BENCH_RUN}`),
    "edge on Deno": plan(edgeOnDeno.said, `/runs/${BENCH_RUN}`),
    "bare proxy on Node": plan(bareOnNode.said, ofNode),
    "bare proxy on Deno": plan(bareOnDeno.said, ofNode),
  };
  const outcomes = { many: {} as Record<string, ReadsOutcome[]>, few: {} as Record<string, ReadsOutcome[]> };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, each] of Object.entries(plans)) {
      outcomes.many[name] = [...(outcomes.many[name] ?? []), await load({ ...each, connections: MANY })];
      outcomes.few[name] = [...(outcomes.few[name] ?? []), await load({ ...each, connections: FEW })];
    }
  }
  const of = (load: keyof typeof outcomes, name: string, field: keyof ReadsOutcome) =>
    median((outcomes[load][name] ?? []).map((each) => each[field]));
  const ratio = (name: string) => of("many", name, "requestsPerSecond") / of("many", "nginx", "requestsPerSecond");
  const edges = ["edge on Node", "edge on Deno"];
  return {
    title: `Small reads: ${MANY} connections, and ${FEW}; ${SECONDS} s, median of ${ROUNDS} rounds`,
    notes: [
      nginx.config,
      `Each connection asks as soon as it is answered: with ${MANY} of them the median is their number divided by the rate, and says the same once more.`,
      "A bare proxy: thirty lines on the runtime's own server and client. It asks for no key, knows one node, looks at no answer.",
    ],
    table: [
      ["", "requests/s", "of nginx", "median ms", "p99 ms", `median ms, ${FEW}`, `p99 ms, ${FEW}`],
      ...Object.keys(plans).map((name) => [
        name,
        of("many", name, "requestsPerSecond").toFixed(0),
        ratio(name).toFixed(2),
        ...(["many", "few"] as const).flatMap((load) => [of(load, name, "medianMs").toFixed(2), of(load, name, "p99Ms").toFixed(2)]),
      ]),
    ],
    aims: edges.flatMap((name) => [
      { what: `${name}, requests a second against nginx`, value: ratio(name), unit: "×", aim: 0.6, better: "more" as const },
      {
        what: `${name}, longer than nginx at the median of ${FEW} connections`,
        value: of("few", name, "medianMs") - of("few", "nginx", "medianMs"),
        unit: "ms",
        aim: 1,
        better: "less" as const,
      },
      {
        what: `${name}, the same with ${MANY}`,
        value: of("many", name, "medianMs") - of("many", "nginx", "medianMs"),
        unit: "ms",
        aim: 1,
        better: "less" as const,
      },
    ]),
  };
}
