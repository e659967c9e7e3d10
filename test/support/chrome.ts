/** A real Chrome for tests of what works on pages; the pool's own launcher has its own tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, launch } from "puppeteer-core";

export const CHROME_PATH = process.env.CHROME_PATH ?? "/usr/bin/chromium";

/** Dispose it, or Chrome stays. */
export async function openChrome(): Promise<{ browser: Browser; [Symbol.asyncDispose](): Promise<void> }> {
  const userDataDir = await mkdtemp(join(tmpdir(), "us-test-"));
  const browser = await launch({
    executablePath: CHROME_PATH,
    pipe: true,
    headless: true,
    userDataDir,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
  return {
    browser,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await rm(userDataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
