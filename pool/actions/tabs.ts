/** The tabs of a run: which page is the active one, and when it is ready for the next action. */
import { type Page, type Target, TargetType } from "puppeteer-core";
import { untilAborted } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import { answerDialogs, type DialogNotice } from "./dialogs.ts";
import { shownUrl } from "./goto.ts";
import { codeMeaning } from "./net-errors.ts";
import { linkOf, type PageLink } from "./page-link.ts";
import { type RestFor, settleFor } from "./settle.ts";

export type TabsOptions = {
  signal: AbortSignal;
  viewport: { width: number; height: number };
  /** Each page of the run, the first one too, before anything is done to it. */
  onPage?: (page: Page) => Promise<void> | void;
  /** Why our own way out did not get through to that server, as Node's code; null where it knows of nothing. */
  whyUnreached?: (url: URL) => string | null;
  /** A dialog that was answered. Its message is the page's own words. */
  onDialog?: (notice: DialogNotice) => void;
};

export interface Tabs extends AsyncDisposable {
  /** The page that the next action is for: the newest, or after it was closed the one that opened it. */
  active(): Page;
  /** Where the active page is. */
  url(): string;
  /** The active page's link, once tabs that are opening are open and a navigation that began has come to its document. */
  ready(signal: AbortSignal): Promise<PageLink>;
  /** What `ready` is waiting for, in words for an error; null when it waits for nothing. */
  heldUpBy(): string | null;
  /** That the active page stands in for one that did not come, in words for an error; null when it does not. */
  trouble(): string | null;
  /**
   * Resolves when what the last action started is done and, for reading, drawn: a navigation, requests; for reading also what typing starts
   * after a moment of silence. At most about 3 s after it; never rejects but with the signal's reason.
   */
  settled(signal: AbortSignal, what?: RestFor): Promise<void>;
}

/** How long a tab that a page has opened may take to be there. */
const OPENING_MS = 2_000;
/** A navigation that has not come to its document by then is left to the action that finds no element. */
const NAVIGATION_MS = 15_000;

type Tab = { page: Page; link: PageLink; opener: Page | null; windowsSeen: number };

export async function openTabs(page: Page, options: TabsOptions): Promise<Tabs> {
  options.signal.throwIfAborted();
  const link = await untilAborted(linkOf(page), options.signal);
  const dialogs = await untilAborted(
    answerDialogs(link.session, (notice) => options.onDialog?.(notice)),
    options.signal,
  );
  const tabs = new OpenTabs(page, link, dialogs, options);
  try {
    await untilAborted(tabs.prepare(page), options.signal);
  } catch (error) {
    await tabs[Symbol.asyncDispose]();
    throw error;
  }
  return tabs;
}

class OpenTabs implements Tabs {
  readonly #tabs: Tab[];
  readonly #dialogs: Disposable;
  readonly #options: TabsOptions;
  readonly #opening = new Set<Promise<void>>();
  readonly #onTarget: (target: Target) => void;
  readonly #first: Page;
  #opened = 0;
  #openedBefore = 0;
  readonly #waiting = new Set<() => void>();

  constructor(page: Page, link: PageLink, dialogs: Disposable, options: TabsOptions) {
    this.#first = page;
    this.#dialogs = dialogs;
    this.#options = options;
    this.#tabs = [this.#tab(page, link, null)];
    this.#onTarget = (target) => {
      if (target.type() !== TargetType.PAGE) return;
      const opening = this.#open(target).catch(() => {}); // closed before it was open
      this.#opening.add(opening);
      void opening.finally(() => {
        this.#opening.delete(opening);
        this.#changed();
      });
    };
    page.browserContext().on("targetcreated", this.#onTarget);
  }

  #tab(page: Page, link: PageLink, opener: Page | null): Tab {
    const tab: Tab = { page, link, opener, windowsSeen: link.activity.windowsOpened };
    page.once("close", () => this.#closed(page));
    return tab;
  }

  async prepare(page: Page): Promise<void> {
    const { viewport, onPage } = this.#options;
    const has = page.viewport();
    const fits = has?.width === viewport.width && has.height === viewport.height;
    await Promise.all([onPage?.(page), fits ? null : page.setViewport(viewport)]);
  }

  async #open(target: Target): Promise<void> {
    this.#opened += 1;
    const page = await target.page();
    if (!page || this.#tabs.some((tab) => tab.page === page)) return;
    const link = await linkOf(page);
    if (/^(about:blank)?$/.test(link.activity.url) && !/^(about:blank)?$/.test(target.url())) link.activity.expectDocument();
    const opener = (await target.opener()?.page()) ?? this.#tabs.at(-1)?.page ?? null;
    await this.prepare(page);
    await link.session.send("Page.bringToFront"); // a tab in the background takes no input
    if (page.isClosed()) return;
    this.#tabs.push(this.#tab(page, link, opener));
  }

  #closed(page: Page): void {
    const i = this.#tabs.findIndex((tab) => tab.page === page);
    const [gone] = i < 0 ? [] : this.#tabs.splice(i, 1);
    const opener = this.#tabs.findIndex((tab) => tab.page === gone?.opener);
    if (gone && i === this.#tabs.length && opener >= 0) this.#tabs.push(...this.#tabs.splice(opener, 1)); // it was the active one: back to its opener
    this.#tabs
      .at(-1)
      ?.link.session.send("Page.bringToFront")
      .catch(() => {}); // it is closing too
    this.#changed();
  }

  #changed(): void {
    for (const wake of this.#waiting) wake();
  }

  active(): Page {
    return this.#tabs.at(-1)?.page ?? this.#first;
  }

  url(): string {
    return this.#tabs.at(-1)?.link.activity.url ?? "about:blank";
  }

  async ready(signal: AbortSignal): Promise<PageLink> {
    for (;;) {
      const tab = this.#tabs.at(-1);
      if (tab && tab.link.activity.windowsOpened > tab.windowsSeen) {
        tab.windowsSeen = tab.link.activity.windowsOpened;
        await this.#until(() => this.#opened > this.#openedBefore || this.#tabs.at(-1) !== tab, signal);
      }
      if (this.#opening.size > 0) await this.#until(() => this.#opening.size === 0, signal);
      this.#opening.clear(); // one that takes longer is not waited for again; it becomes active when it is there
      this.#openedBefore = this.#opened;
      const active = this.#tabs.at(-1);
      if (!active) throw new ActionError("Every tab is closed: there is no page to act on");
      if (active.link.session.detached) active.link = await untilAborted(linkOf(active.page), signal); // its target was swapped
      const { activity } = active.link;
      if (activity.isNavigating) await activity.until(() => !activity.isNavigating || this.#tabs.at(-1) !== active, NAVIGATION_MS, signal);
      if (this.#tabs.at(-1) === active) return active.link;
    }
  }

  heldUpBy(): string | null {
    if (this.#opening.size > 0) return "a tab that is opening is not there yet";
    return this.#tabs.at(-1)?.link.activity.isNavigating ? "the next document has not come yet" : null;
  }

  trouble(): string | null {
    const tab = this.#tabs.at(-1);
    const failure = tab?.link.activity.failure;
    if (!failure) return null;
    const { url, why } = failure;
    const code = URL.canParse(url) ? this.#options.whyUnreached?.(new URL(url)) : null;
    const known = code ? codeMeaning(code) : (why ?? "it could not be opened"); // of a tab's first document Chrome often told before we could listen
    return `${tab.opener ? "the new tab" : "the page"} is an error page: ${shownUrl(url)}: ${known}`;
  }

  async settled(signal: AbortSignal, what: RestFor = "reading"): Promise<void> {
    try {
      await settleFor(what, await this.ready(signal), signal);
    } catch {
      signal.throwIfAborted(); // the page is gone, or a new document came: what there is is all there is
    }
  }

  /** Waits for tabs to come or go, for so long as that may take. */
  async #until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.timeout(OPENING_MS);
    while (!holds() && !limit.aborted) {
      let wake = () => {};
      const change = new Promise<void>((resolve) => {
        wake = resolve;
      });
      this.#waiting.add(wake);
      await untilAborted(change, AbortSignal.any([signal, limit])).catch(() => signal.throwIfAborted()); // late: go on without it
      this.#waiting.delete(wake);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#dialogs[Symbol.dispose]();
    this.#first.browserContext().off("targetcreated", this.#onTarget);
  }
}
