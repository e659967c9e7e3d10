/** (4) From POST to the first action, and (5) to a session that is ready, on an idle node, against launching Chrome. */
import { openLogin } from "../support/playbooks.ts";
import { launchFresh, openBenchSystem, percentile, untilIdle } from "./support/pool.ts";
import { type BenchResult, median } from "./support/result.ts";

const ROUNDS = 25;

export async function bench(): Promise<BenchResult> {
  await using system = await openBenchSystem();
  const { writer } = system.as;
  const fresh: number[] = [];
  const ready: number[] = [];
  const first: number[] = [];
  await untilIdle(system);
  await writer.finished((await writer.create({ ...openLogin(system.dashboard.url), recording: { enabled: false } })).run_id); // loads what a first run loads
  for (let round = 0; round < ROUNDS; round++) {
    {
      await untilIdle(system);
      const startedAt = performance.now();
      await using _chrome = await launchFresh();
      fresh.push(performance.now() - startedAt);
    }
    await untilIdle(system);
    const startedAt = performance.now();
    const { run_id } = await writer.create({ ...openLogin(system.dashboard.url), recording: { enabled: false } });
    let isReady = false;
    for await (const { event } of writer.events(run_id)) {
      if (event.type === "status" && event.status === "running" && !isReady) {
        ready.push(performance.now() - startedAt);
        isReady = true;
      }
      if (event.type === "step" && event.index === 0 && event.state === "started") first.push(performance.now() - startedAt);
    }
  }
  const row = (name: string, values: number[]) => [
    name,
    median(values).toFixed(1),
    percentile(values, 0.95).toFixed(1),
    (median(values) / median(fresh)).toFixed(2),
  ];
  return {
    title: `From POST to a run under way, ${ROUNDS} interleaved rounds`,
    notes: [
      "A node's first run is not among them.",
      "Ours over HTTP through edge and node, until the event has come back to the client; the launch in the client's own process, until it has a page.",
    ],
    table: [
      ["", "p50 ms", "p95 ms", "of a launch"],
      row("launching Chrome", fresh),
      row("POST → status: running", ready),
      row("POST → first action begins", first),
    ],
    aims: [
      { what: "POST to first action, median", value: median(first), unit: "ms", aim: 60, better: "less" },
      { what: "session ready against a launch, median", value: median(ready) / median(fresh), unit: "×", aim: 0.25, better: "less" },
      { what: "session ready, p95 against p50", value: percentile(ready, 0.95) / median(ready), unit: "×", aim: 2, better: "less" },
    ],
  };
}
