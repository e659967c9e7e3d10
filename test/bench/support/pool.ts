/** An edge and a node for benches, and a fresh Chrome to compare them with. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, launch, type Page } from "puppeteer-core";
import { pause } from "../../../shared/deadline.ts";
import { CHROME_PATH } from "../../support/chrome.ts";
import { HEADLESS_ARGS, VIEWPORT } from "../../support/headless.ts";
import { openTestSystem, type TestSystem } from "../../support/system.ts";

type Browsers = { browsers: { state: string }[] };

export const openBenchSystem = (env: Record<string, string> = {}): Promise<TestSystem> =>
  openTestSystem({ env: { LOG_LEVEL: "warn", POOL_SLOTS: "2", ...env }, slowMs: 0 });

/** Waits until nothing runs and the spares are there, as on a node that is not asked for anything. */
export async function untilIdle({ as }: TestSystem, warm = 1): Promise<void> {
  for (;;) {
    const { browsers } = await as.admin.json<Browsers>("/pool/browsers"); // as the node has them now; what it tells of itself may be a heartbeat old
    if (browsers.length >= warm && browsers.every(({ state }) => state === "warm")) break;
    await pause(50);
  }
  await pause(150); // what was last launched comes to rest
}

/** As a script of one's own would launch it. */
export async function launchFresh(): Promise<{ browser: Browser; page: Page; [Symbol.asyncDispose](): Promise<void> }> {
  const userDataDir = await mkdtemp(join(tmpdir(), "us-bench-"));
  const browser = await launch({
    executablePath: CHROME_PATH,
    pipe: true,
    headless: true,
    userDataDir,
    args: HEADLESS_ARGS,
    defaultViewport: VIEWPORT,
  });
  const page = (await browser.pages())[0] ?? (await browser.newPage());
  return {
    browser,
    page,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await rm(userDataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

export const percentile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};
