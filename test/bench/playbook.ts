/** (3) A playbook of 12 steps against the same flow hand-written in puppeteer, each on a Chrome that was launched ahead; recording off. */
import type { Page } from "puppeteer-core";
import { DEMO_USER } from "../fixtures/dashboard/dashboard.ts";
import { CREDENTIALS } from "../support/playbooks.ts";
import { launchFresh, openBenchSystem, untilIdle } from "./support/pool.ts";
import { type BenchResult, median } from "./support/result.ts";

const ROUNDS = 15;
const ORDER = "12345";

const playbook = (url: string) => ({
  id: "twelve-steps",
  guardrails: { allow_private_networks: true },
  steps: [
    { action: "goto", params: { url: `${url}/login` } },
    { action: "key_press", selector: "#username", params: { text: "{credentials.username}" } },
    { action: "key_press", selector: "#password", params: { text: "{credentials.password}" } },
    { action: "click", selector: "#sign-in", verify: { expect_url_contains: "/orders" } },
    { action: "wait_for", selector: "#orders tbody tr a" },
    { action: "key_press", selector: "#search", params: { text: ORDER } },
    { action: "wait_for", selector: `[data-testid=order-${ORDER}] a` },
    { action: "click", selector: `[data-testid=order-${ORDER}] a` },
    { action: "wait_for", selector: "#order-status" },
    { action: "extract", selector: "#total" },
    { action: "click", selector: "#cancel-order", verify: { expect_element_visible: "#cancel-dialog" } },
    { action: "click", selector: "#keep-order" },
  ],
});

/** The same twelve, as a careful author would write them. */
async function byHand(page: Page, url: string): Promise<string | null> {
  await page.goto(`${url}/login`, { waitUntil: "domcontentloaded" });
  await page.type("#username", DEMO_USER.username);
  await page.type("#password", DEMO_USER.password);
  await Promise.all([page.waitForNavigation({ waitUntil: "domcontentloaded" }), page.click("#sign-in")]);
  await page.waitForSelector("#orders tbody tr a", { visible: true });
  await page.type("#search", ORDER);
  await page.waitForSelector(`[data-testid=order-${ORDER}] a`, { visible: true });
  await page.click(`[data-testid=order-${ORDER}] a`);
  await page.waitForSelector("#order-status", { visible: true });
  const total = await page.$eval("#total", (element) => element.textContent);
  await page.click("#cancel-order");
  await page.waitForSelector("#cancel-dialog", { visible: true });
  await page.click("#keep-order");
  return total;
}

export async function bench(): Promise<BenchResult> {
  await using system = await openBenchSystem();
  const { url } = system.dashboard;
  const ours: number[] = [];
  const hand: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    {
      await using chrome = await launchFresh();
      await untilIdle(system);
      const startedAt = performance.now();
      const total = await byHand(chrome.page, url);
      hand.push(performance.now() - startedAt);
      if (!total) throw new Error("The hand-written flow read nothing");
    }
    await untilIdle(system);
    const body = { playbook: playbook(url), credentials: CREDENTIALS, recording: { enabled: false } };
    const { run } = await system.as.writer.finished((await system.as.writer.create(body)).run_id);
    if (run.status !== "completed") throw new Error(`The playbook did not complete: ${JSON.stringify(run.error)}`);
    ours.push(run.duration_ms);
  }
  const ratios = ours.map((each, i) => each / (hand[i] as number));
  return {
    title: `A playbook of 12 steps against the same flow by hand, ${ROUNDS} interleaved rounds`,
    notes: [
      "Ours from status running to completed, through the egress guard, without recording; the other from its first goto, without a proxy.",
    ],
    table: [
      ["", "median ms", "best ms"],
      ["hand-written puppeteer", median(hand).toFixed(0), Math.min(...hand).toFixed(0)],
      ["playbook", median(ours).toFixed(0), Math.min(...ours).toFixed(0)],
    ],
    aims: [
      {
        what: "time of the playbook against by hand, median of paired ratios",
        value: median(ratios),
        unit: "×",
        aim: 1.05,
        better: "less",
      },
    ],
  };
}
