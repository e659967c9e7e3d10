/** (6) Sessions a minute at concurrency 2, against bare puppeteer that launches a Chrome for each. */
import { openLogin } from "../support/playbooks.ts";
import { launchFresh, openBenchSystem, untilIdle } from "./support/pool.ts";
import { type BenchResult, median } from "./support/result.ts";

const ROUNDS = 5;
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
  const { writer } = system.as;
  const { url } = system.dashboard;
  const bare = async () => {
    await using chrome = await launchFresh();
    await chrome.page.goto(`${url}/login`, { waitUntil: "domcontentloaded" });
    await chrome.page.waitForSelector("h1", { visible: true });
    await chrome.page.$eval("h1", (element) => element.textContent);
  };
  const ours = async () => {
    const { run_id } = await writer.create({ ...openLogin(url), recording: { enabled: false } });
    const { run } = await writer.finished(run_id);
    if (run.status !== "completed") throw new Error(`A run did not complete: ${JSON.stringify(run.error)}`);
  };
  const rates = { bare: [] as number[], ours: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    await untilIdle(system, 0);
    rates.bare.push(SESSIONS / (await minutesFor(bare)));
    await untilIdle(system, 0);
    rates.ours.push(SESSIONS / (await minutesFor(ours)));
  }
  const ratios = rates.ours.map((each, i) => each / (rates.bare[i] as number));
  return {
    title: `Sessions a minute at concurrency ${CONCURRENCY}: ${ROUNDS} interleaved rounds of ${SESSIONS}`,
    notes: [
      "A session: a Chrome of its own, one page opened, one text read, Chrome ended. Ours with queue, store, events and egress guard; recording off.",
    ],
    table: [
      ["", "sessions/min"],
      ["bare puppeteer, fresh Chrome each", median(rates.bare).toFixed(0)],
      ["through edge and node", median(rates.ours).toFixed(0)],
    ],
    aims: [
      {
        what: "sessions a minute against bare puppeteer, median of paired ratios",
        value: median(ratios),
        unit: "×",
        aim: 0.97,
        better: "more",
      },
    ],
  };
}
