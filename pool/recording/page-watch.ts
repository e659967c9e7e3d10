/** The pages of a run: their names in the trace, and what they say by themselves. */
import type { CDPSession, Page } from "puppeteer-core";
import { withDeadline } from "../../shared/deadline.ts";
import { isGone } from "./is-gone.ts";
import { watchPage } from "./page-events.ts";
import { PageRecording, type PageRecordingOptions } from "./page-recording.ts";
import { type TraceEvent, traceTime } from "./trace-events.ts";
import type { Warn } from "./warn.ts";

const OPEN_LIMIT_MS = 10_000;
const ATTACH_LIMIT_MS = 1_000;
const CLOSE_LIMIT_MS = 2_000;

type PageWatchOptions = {
  write: (event: TraceEvent) => void;
  /** Most messages and errors that are kept. */
  limit: number;
  /** Called once, when there are more. */
  onLimit: () => void;
  warn: Warn;
  recording: Omit<PageRecordingOptions, "heard">;
};

export class PageWatch {
  readonly #options: PageWatchOptions;
  readonly #ids = new WeakMap<Page, string>();
  readonly #attached = new WeakSet<Page>();
  readonly #sessions = new Set<CDPSession>();
  readonly #recordings = new Map<Page, Promise<PageRecording | null>>();
  readonly #opened = new WeakMap<Page, PageRecording>();
  #pages = 0;
  #messages = 0;
  #closed = false;
  #isFlooded = false;

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

  /** Resolves once the page is recorded, or will not be; a page that does not answer is not waited for. Never rejects. */
  async attach(page: Page): Promise<void> {
    if (this.#closed || this.#attached.has(page)) return;
    this.#attached.add(page);
    const pageId = this.idOf(page);
    page.once("close", () => {
      this.#tell("pageClosed", pageId);
      this.#recordings
        .get(page)
        ?.then((recording) => recording?.close())
        .finally(() => this.#recordings.delete(page));
    });
    this.#recordings.set(page, this.#record(page, pageId));
    watchPage(page, pageId, (event) => this.#heard(event)).then(
      (session) => {
        this.#sessions.add(session);
        if (this.#closed || this.#isFlooded) this.#closeSessions();
      },
      (cause) => {
        if (!this.#closed && !isGone(page, cause)) this.#options.warn("A page's console cannot be recorded", cause);
      },
    );
    await withDeadline(ATTACH_LIMIT_MS, async () => await this.recordingOf(page)).catch(() => {}); // it goes on without us
  }

  /** What is recorded of the page; null where it cannot be. At once for one that is open: a snapshot asked for now is not overtaken by the end. */
  recordingOf(page: Page): PageRecording | null | Promise<PageRecording | null> {
    return this.#opened.get(page) ?? this.#recordings.get(page) ?? null;
  }

  /** Ends all recordings, each after a moment for what is still to come. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#closeSessions();
    const ending = [...this.#recordings.values()].map(async (recording) => (await recording)?.close());
    await withDeadline(CLOSE_LIMIT_MS, () => Promise.all(ending)).catch(() => {}); // one that is still being opened is closed once it is
    this.#recordings.clear();
  }

  async #record(page: Page, pageId: string): Promise<PageRecording | null> {
    const { recording, warn } = this.#options;
    try {
      const opening = PageRecording.open(page, pageId, { ...recording, heard: (event) => this.#heard(event) });
      opening.then((opened) => (this.#closed ? opened.close() : undefined)).catch(() => {}); // heard below
      const opened = await withDeadline(OPEN_LIMIT_MS, () => opening);
      this.#opened.set(page, opened);
      return opened;
    } catch (cause) {
      if (!this.#closed && !isGone(page, cause)) warn("A page cannot be recorded", cause);
      return null;
    }
  }

  #closeSessions(): void {
    for (const session of this.#sessions) {
      session.removeAllListeners();
      session.detach().catch(() => {}); // its page or browser has gone
    }
    this.#sessions.clear();
  }

  #heard(event: TraceEvent): boolean {
    if (this.#closed || this.#isFlooded) return false;
    if (this.#messages >= this.#options.limit) {
      this.#isFlooded = true;
      this.#closeSessions(); // a page that floods is not listened to any more
      this.#options.onLimit();
      return false;
    }
    this.#messages += 1;
    this.#options.write(event);
    return true;
  }

  #tell(method: "page" | "pageClosed", pageId: string): void {
    this.#options.write({ type: "event", time: traceTime(), class: "BrowserContext", method, params: { pageId }, pageId });
  }
}
