/** browserless as its package starts it, with the same Chrome and flags as everybody. */
import { join } from "node:path";
import { connect } from "puppeteer-core";
import { pause } from "../../../shared/deadline.ts";
import { CHROME_PATH } from "../../support/chrome.ts";
import { HEADLESS_ARGS, VIEWPORT } from "../../support/headless.ts";
import { freePort } from "../../support/system.ts";
import { family } from "../support/usage.ts";
import { type Contender, openAndRead } from "./contender.ts";
import { startPeer } from "./peer-process.ts";

const TOKEN = "bench-token";

export async function openBrowserless(folder: string, url: string): Promise<Contender> {
  await using opened = new AsyncDisposableStack();
  const port = await freePort();
  const peer = opened.use(
    await startPeer("browserless-host.ts", {
      args: [folder, CHROME_PATH],
      cwd: folder, // it reads a file of Playwright's from there
      env: (own) => ({
        HOST: "127.0.0.1",
        PORT: String(port),
        TOKEN,
        DEBUG: "quiet", // it logs every request of every page otherwise
        PLAYWRIGHT_BROWSERS_PATH: join(own, "browsers"),
        ROUTES: join(own, "routes"),
      }),
    }),
  );
  const stop = new AbortController();
  opened.defer(() => stop.abort());
  await peer.whileAlive(untilAnswers(`http://127.0.0.1:${port}/pressure?token=${TOKEN}`, stop.signal));
  const launch = encodeURIComponent(JSON.stringify({ args: HEADLESS_ARGS, defaultViewport: VIEWPORT }));
  const browserWSEndpoint = `ws://127.0.0.1:${port}/chromium?token=${TOKEN}&launch=${launch}`;
  let sessions = 0;
  const open = async () => {
    sessions++;
    const startedAt = performance.now();
    const browser = await connect({ browserWSEndpoint, defaultViewport: VIEWPORT });
    const dispose = async () => {
      sessions--;
      await browser.close();
    };
    try {
      const page = (await browser.pages())[0] ?? (await browser.newPage());
      const readyMs = performance.now() - startedAt;
      await openAndRead(page, url);
      return { readyMs, readMs: performance.now() - startedAt, [Symbol.asyncDispose]: dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
  };
  const kept = opened.move();
  return {
    name: "browserless",
    processes: () => ({ own: [peer.pid], browsers: [] }),
    async session() {
      await using session = await open();
      return { readyMs: session.readyMs, readMs: session.readMs };
    },
    hold: open,
    async rest() {
      while (family([peer.pid]).filter(({ parent }) => parent === peer.pid).length !== sessions) await pause(25); // one Chrome each
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function untilAnswers(url: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const answers = await fetch(url, { signal }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (answers) return;
    await pause(50, signal);
  }
}
