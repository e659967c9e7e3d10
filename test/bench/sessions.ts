/** (6) Sessions a minute at concurrency 2, a Chrome for each run or one that they share, against bare puppeteer that launches a Chrome for each. */
import { openLogin } from "../support/playbooks.ts";
import type { TestSystem } from "../support/system.ts";
import { launchFresh, openBenchSystem, untilIdle } from "./support/pool.ts";
import { type BenchResult, median } from "./support/result.ts";

const ROUNDS = 4;
const SESSIONS = 16;
const CONCURRENCY = 2;

/** So many at a time, until so many are done; how long that took, in minutes. */
async function minutesFor(session: () => Promise<void>): Promise<number> {
  let left = SESSIONS;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left-- > 0) await session();
    }),
  );
  return (performance.now() - startedAt) / 60_000;
}

export async function bench(): Promise<BenchResult> {
  await using system = await openBenchSystem();
  await using sharing = await openBenchSystem({ POOL_ISOLATION: "context" });
  const through =
    ({ as: { writer }, dashboard: { url } }: TestSystem) =>
    async () => {
      const { run_id } = await writer.create({ ...openLogin(url), recording: { enabled: false } });
      const { run } = await writer.finished(run_id);
      if (run.status !== "completed") throw new Error(`A run did not complete: ${JSON.stringify(run.error)}`);
    };
  const bare = async () => {
    await using chrome = await launchFresh();
    await chrome.page.goto(`${system.dashboard.url}/login`, { waitUntil: "domcontentloaded" });
    await chrome.page.waitForSelector("h1", { visible: true });
    await chrome.page.$eval("h1", (element) => element.textContent);
  };
  const ways = { bare, process: through(system), context: through(sharing) };
  const rates = { bare: [] as number[], process: [] as number[], context: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of ["bare", "process", "context"] as const) {
      await Promise.all([untilIdle(system, 0), untilIdle(sharing, 0)]);
      rates[way].push(SESSIONS / (await minutesFor(ways[way])));
    }
  }
  const ratioOf = (way: "process" | "context") => median(rates[way].map((each, i) => each / (rates.bare[i] as number)));
  return {
    title: `Sessions a minute at concurrency ${CONCURRENCY}: ${ROUNDS} interleaved rounds of ${SESSIONS}`,
    notes: [
      "A session: a Chrome or a context of its own, one page opened, one text read, and its end. Ours with queue, store, events and egress guard; recording off.",
    ],
    table: [
      ["", "sessions/min"],
      ["bare puppeteer, fresh Chrome each", median(rates.bare).toFixed(0)],
      ["through edge and node, a Chrome each", median(rates.process).toFixed(0)],
      ["through edge and node, a context each (POOL_ISOLATION=context)", median(rates.context).toFixed(0)],
    ],
    aims: [
      {
        what: "sessions a minute against bare puppeteer, median of paired ratios",
        value: ratioOf("process"),
        unit: "×",
        aim: 0.97,
        better: "more",
      },
      {
        what: "the same with a context each, median of paired ratios",
        value: ratioOf("context"),
        unit: "×",
        aim: 1.8,
        better: "more",
      },
    ],
  };
}
