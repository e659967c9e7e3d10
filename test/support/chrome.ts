/** A real Chrome for tests of what works on pages; the pool's own launcher has its own tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type DownloadBehavior, launch } from "puppeteer-core";
import { requireChrome } from "../../pool/browsers/find-chrome.ts";
import { HEADLESS_ARGS } from "./headless.ts";

/** The one that a node takes. */
export const CHROME_PATH = await requireChrome(process.env.CHROME_PATH ?? null);

/** Dispose it, or Chrome stays. */
export async function openChrome(): Promise<{
  browser: Browser;
  /** For contexts as for its first one: the headless shell downloads nothing else. */
  downloadBehavior: DownloadBehavior;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const userDataDir = await mkdtemp(join(tmpdir(), "us-test-"));
  const downloadBehavior: DownloadBehavior = { policy: "allowAndName", downloadPath: join(userDataDir, "downloads") };
  const browser = await launch({
    executablePath: CHROME_PATH,
    pipe: true,
    headless: true,
    userDataDir,
    downloadBehavior,
    args: ["--site-per-process", ...HEADLESS_ARGS],
  });
  return {
    browser,
    downloadBehavior,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await rm(userDataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
