/** The pages of a run: their names in the trace, and what they say by themselves. */
import type { CDPSession, Page } from "puppeteer-core";
import { isGone } from "./is-gone.ts";
import { watchPage } from "./page-events.ts";
import { type TraceEvent, traceTime } from "./trace-events.ts";
import type { Warn } from "./warn.ts";

type PageWatchOptions = {
  write: (event: TraceEvent) => void;
  /** Most messages and errors that are kept. */
  limit: number;
  /** Called once, when there are more. */
  onLimit: () => void;
  warn: Warn;
};

export class PageWatch {
  readonly #options: PageWatchOptions;
  readonly #ids = new WeakMap<Page, string>();
  readonly #attached = new WeakSet<Page>();
  readonly #sessions = new Set<CDPSession>();
  #pages = 0;
  #messages = 0;
  #closed = false;

  constructor(options: PageWatchOptions) {
    this.#options = options;
  }

  /** The page's name in the trace, given at first sight. */
  idOf(page: Page): string {
    const known = this.#ids.get(page);
    if (known !== undefined) return known;
    const pageId = `page@${++this.#pages}`;
    this.#ids.set(page, pageId);
    this.#tell("page", pageId);
    return pageId;
  }

  attach(page: Page): void {
    if (this.#closed || this.#attached.has(page)) return;
    this.#attached.add(page);
    const pageId = this.idOf(page);
    page.once("close", () => this.#tell("pageClosed", pageId));
    watchPage(page, pageId, (event) => this.#heard(event)).then(
      (session) => {
        this.#sessions.add(session);
        if (this.#closed) this.close();
      },
      (cause) => {
        if (!this.#closed && !isGone(page, cause)) this.#options.warn("A page's console cannot be recorded", cause);
      },
    );
  }

  /** Stops listening. */
  close(): void {
    this.#closed = true;
    for (const session of this.#sessions) {
      session.removeAllListeners();
      session.detach().catch(() => {}); // its page or browser has gone
    }
    this.#sessions.clear();
  }

  #heard(event: TraceEvent): void {
    if (this.#closed) return;
    if (this.#messages >= this.#options.limit) {
      this.close(); // a page that floods is not listened to any more
      this.#options.onLimit();
      return;
    }
    this.#messages += 1;
    this.#options.write(event);
  }

  #tell(method: "page" | "pageClosed", pageId: string): void {
    this.#options.write({ type: "event", time: traceTime(), class: "BrowserContext", method, params: { pageId }, pageId });
  }
}
