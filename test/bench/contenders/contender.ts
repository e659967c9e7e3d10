/** What is compared: a system that gives out browsers, whatever its API, as one bench can drive it. */
import type { Page } from "puppeteer-core";

/** Milliseconds since it was asked for. */
export type Timing = {
  /** A page is there to be driven. */
  readyMs: number;
  /** The page was opened, and a text read in it. */
  readMs: number;
};

export type Contender = AsyncDisposable & {
  name: string;
  /** `own`: the system's processes, whose descendants are Chromes. `browsers`: Chromes that descend from none of them. */
  processes(): { own: number[]; browsers: number[] };
  /** A whole one: opened, one page, one text, ended. */
  session(): Promise<Timing>;
  /** Opens one, opens the page and reads the text; the session stays until it is disposed. */
  hold(): Promise<AsyncDisposable>;
  /** Resolves when no session of its is just beginning or ending. */
  rest(): Promise<void>;
  /** Chromes that wait for a session to come: no session's memory. */
  spares?(): Promise<number[]>;
  /** Another one, made for so many sessions: where a system takes memory for as many as it may have at once. */
  sized?(sessions: number): Promise<Contender>;
};

/** The same work for everybody: what `openLogin` says as a playbook. */
export async function openAndRead(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/login`, { waitUntil: "domcontentloaded" });
  await page.waitForSelector("h1", { visible: true });
  await page.$eval("h1", (element) => element.textContent);
}
