/**
 * Does Chrome still answer? Puppeteer reports a crash at once and a hang never, so two questions are asked again and again: the
 * browser process for its version, the page for `1`. They go over sessions of our own, which take none of puppeteer's locks.
 */
import type { Browser, CDPSession, Page } from "puppeteer-core";
import { untilAborted } from "../../shared/deadline.ts";

/** Sessions opened ahead, so that a lease need not wait for them. */
export type Pulse = { browser: CDPSession; page: CDPSession };

/** Where it rejects, or comes when the signal has aborted, it leaves no session: that to the browser would stay as long as the connection. */
export async function openPulse(browser: Browser, page: Page, signal: AbortSignal): Promise<Pulse> {
  const opening = browser.target().createCDPSession();
  opening.catch(() => {}); // heard below, perhaps later than it rejects
  try {
    const ofPage = await untilAborted(page.createCDPSession(), signal);
    return { browser: await untilAborted(opening, signal), page: ofPage };
  } catch (error) {
    opening.then((late) => late.detach()).catch(() => {}); // the connection is gone, and the session with it
    throw error;
  }
}

export const askBrowser = (session: CDPSession): Promise<unknown> => session.send("Browser.getVersion");
export const askPage = (session: CDPSession): Promise<unknown> =>
  session.send("Runtime.evaluate", { expression: "1", returnByValue: true });
