/**
 * Does Chrome still answer? Puppeteer reports a crash at once and a hang never, so two questions are asked again and again: the
 * browser process for its version, the page for `1`. They go over sessions of our own, which take none of puppeteer's locks.
 */
import type { Browser, CDPSession, Page } from "puppeteer-core";

/** Sessions opened ahead, so that a lease need not wait for them. */
export type Pulse = { browser: CDPSession; page: CDPSession };

export async function openPulse(browser: Browser, page: Page): Promise<Pulse> {
  const [ofBrowser, ofPage] = await Promise.all([browser.target().createCDPSession(), page.createCDPSession()]);
  return { browser: ofBrowser, page: ofPage };
}

export const askBrowser = (session: CDPSession): Promise<unknown> => session.send("Browser.getVersion");
export const askPage = (session: CDPSession): Promise<unknown> =>
  session.send("Runtime.evaluate", { expression: "1", returnByValue: true });
