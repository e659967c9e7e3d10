/** The Chromes that runs share (POOL_ISOLATION=context): one takes all, until the next stands in its place. */
import { untilAborted } from "../../shared/deadline.ts";
import type { Viewport } from "./chrome-args.ts";
import type { ContextBrowser } from "./context-browser.ts";
import type { Egress } from "./held-browser.ts";
import { groupUsage } from "./memory.ts";
import { backoffMs } from "./refill.ts";
import type { Entry } from "./roster.ts";
import { openSharedChrome, type SharedChrome, type SharedChromeOptions, TabNotOpened } from "./shared-chrome.ts";

const CHECK_MS = 30_000;
const MAX_AGE_MS = 30 * 60_000;
/** After so many contexts the next Chrome is launched, ahead of the last that this one could take. */
const REPLACE_AFTER = 200;
/**
 * Chromes that take no more and wait for the last of their runs. With so many, one that could still be used is used on, however old or large. One that cannot
 * makes one more, so that in all there are never more of them than runs.
 */
const MAX_RETIRED = 2;

export type SharedChromesOptions<E extends Egress> = SharedChromeOptions<E> & {
  viewport: Viewport;
  checkMs?: number;
  maxAgeMs?: number;
  /** What it may take while no run is in it, and what with all that is in it; 0: as much as it likes. */
  maxIdleBytes?: number;
  maxBytes?: number;
};

/** What one may take now. */
export function mostBytes(isInUse: boolean, { maxIdleBytes, maxBytes }: { maxIdleBytes: number; maxBytes: number }): number {
  const limits = isInUse ? [maxBytes] : [maxBytes, maxIdleBytes];
  return Math.min(...limits.filter((limit) => limit > 0));
}

export class SharedChromes<E extends Egress> implements AsyncDisposable {
  readonly #options: SharedChromesOptions<E>;
  readonly #all = new Set<SharedChrome<E>>();
  readonly #stop = new AbortController();
  readonly #check: NodeJS.Timeout;
  #current: SharedChrome<E> | null = null;
  #launching: Promise<SharedChrome<E>> | null = null;
  #failures = 0;
  #retryAt = 0;

  constructor(options: SharedChromesOptions<E>) {
    this.#options = options;
    this.#check = setInterval(() => void this.#checkCurrent(), options.checkMs ?? CHECK_MS).unref();
  }

  /**
   * A context with its tab, in a Chrome that has just been found well.
   * @throws SETUP_FAILED no Chrome starts, or two after another open no tab; or the signal's reason. The entry is off the roster then.
   */
  async open(entry: Entry, viewport: Viewport, signal: AbortSignal): Promise<ContextBrowser<E>> {
    try {
      const chrome = await this.ready(signal);
      try {
        return await chrome.open(entry, viewport, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof TabNotOpened) && chrome.takesMore) throw error;
        this.#options.log.warn("the shared Chrome opened no context; taking another", { pid: chrome.entry.pid, error });
        this.#giveUp(chrome);
      }
      return await (await this.ready(signal)).open(entry, viewport, signal);
    } catch (error) {
      this.#options.roster.remove(entry);
      throw error;
    }
  }

  /** The one that takes contexts; launched where there is none. */
  async ready(signal: AbortSignal): Promise<SharedChrome<E>> {
    const current = this.#current;
    if (!current?.takesMore) return await untilAborted(this.#launch(), signal);
    this.#replaceOld();
    return current;
  }

  /** false: that is no shared Chrome. */
  retire(entry: Entry): boolean {
    this.#replaceOld();
    return [...this.#all].some((each) => each.entry === entry);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("The node stops"));
    clearInterval(this.#check);
    await this.#launching?.catch(() => {}); // whoever waits for it has heard
    await Promise.all([...this.#all].map((chrome) => chrome[Symbol.asyncDispose]()));
  }

  /** One launch at a time, for all who wait. What took contexts before, takes none from then on. */
  #launch(): Promise<SharedChrome<E>> {
    this.#launching ??= this.#open().finally(() => (this.#launching = null));
    return this.#launching;
  }

  async #open(): Promise<SharedChrome<E>> {
    const { viewport } = this.#options;
    const chrome = await openSharedChrome(this.#options, { viewport, onDoubt: () => this.#replaceOld(), signal: this.#stop.signal });
    this.#failures = 0;
    this.#retryAt = 0;
    this.#all.add(chrome);
    void chrome.ended.then(() => {
      this.#all.delete(chrome);
      this.#replaceOld(); // there is room for another that is retired
    });
    const earlier = this.#current;
    this.#current = chrome;
    earlier?.retire();
    return chrome;
  }

  /** The next one first: no run waits for its launch. Where that fails, this one goes on, and it is tried again later. */
  #replaceOld(why: string | null = this.#whyOld()): void {
    const current = this.#current;
    if (why === null || !current || this.#launching !== null || performance.now() < this.#retryAt || this.#stop.signal.aborted) return;
    if (this.#all.size > MAX_RETIRED) return; // itself and those; looked at again when one ends
    const { log } = this.#options;
    log.info("the shared Chrome is replaced once its runs are over", { pid: current.entry.pid, contexts: current.opened, why });
    this.#launch().catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#failures += 1;
      this.#retryAt = performance.now() + backoffMs(this.#failures);
      log.error("cannot launch the next shared Chrome", { error, failures: this.#failures });
    });
  }

  #whyOld(): string | null {
    const current = this.#current;
    if (!current?.takesMore) return null; // the next is launched when it is needed
    if (current.entry.recycleRequested) return "an operator asked for it";
    if (current.isDoubtful) return "a context could not be closed: what was in it may still be at work";
    return current.opened >= REPLACE_AFTER ? "it has had its share of contexts" : null;
  }

  #giveUp(chrome: SharedChrome<E>): void {
    if (this.#current === chrome) this.#current = null;
    chrome.retire();
  }

  /** Now and then: what no event tells. */
  async #checkCurrent(): Promise<void> {
    const { maxAgeMs = MAX_AGE_MS, maxIdleBytes = 0, maxBytes = 0, roster } = this.#options;
    const current = this.#current;
    if (!current?.takesMore) return;
    const isOld = current.entry.startedAt.getTime() < Date.now() - maxAgeMs;
    this.#replaceOld(this.#whyOld() ?? (isOld ? "it is older than it may be" : null));
    if (maxIdleBytes + maxBytes === 0 || current.entry.pid === null) return;
    const bytes = (await groupUsage(new Set([current.entry.pid]))).get(current.entry.pid)?.bytes ?? 0;
    if (current !== this.#current) return;
    const most = mostBytes(roster.isInUse(current.entry), { maxIdleBytes, maxBytes });
    if (bytes > most) this.#replaceOld(`it takes more memory than it may: ${bytes} bytes`);
  }
}
