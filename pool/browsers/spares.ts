/** Warm spares: browsers opened ahead, each for one run. What a run would wait for is done before it comes. */
import { untilAborted, withDeadline } from "../../shared/deadline.ts";
import type { Log } from "../telemetry/log.ts";
import type { Egress, SpareBrowser } from "./held-browser.ts";
import { createPresentLoad } from "./machine-load.ts";
import { groupUsage } from "./memory.ts";
import { askPage } from "./pulse.ts";
import { backoffMs, isMachineBusy, waitBeforeRefill } from "./refill.ts";
import type { Entry, Roster } from "./roster.ts";

/** A spare that waited this long is replaced: Chrome's own timers and caches grow, and its clock of certificates ages. */
const MAX_AGE_MS = 30 * 60_000;
const CHECK_MS = 30_000;
const ANSWER_LIMIT_MS = 5_000;

export type SparesOptions<E extends Egress> = {
  size: number;
  slots: number;
  open: (entry: Entry, signal: AbortSignal) => Promise<SpareBrowser<E>>;
  roster: Roster;
  log: Log;
  /** For tests: the machine's load, and the pace of the look after those that wait. */
  loadPerCpu?: () => number;
  checkMs?: number;
  maxAgeMs?: number;
  /** 0: however much it takes. */
  maxBytes?: number;
};

export class Spares<E extends Egress> implements AsyncDisposable {
  readonly #options: SparesOptions<E>;
  /** Oldest first, in order of use. */
  readonly #waiting: SpareBrowser<E>[] = [];
  readonly #stop = new AbortController();
  readonly #load: () => number;
  readonly #check: NodeJS.Timeout;
  readonly #endings = new Set<Promise<void>>();
  #launching: Promise<SpareBrowser<E> | null> | null = null;
  /** The one being launched is promised to a run. */
  #isPromised = false;
  #startingRuns = 0;
  #lastTakenAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #failure: string | null = null;
  #retryAt = 0;
  #isMachineBusy = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: SparesOptions<E>) {
    this.#options = options;
    this.#load = options.loadPerCpu ?? createPresentLoad();
    this.#check = setInterval(() => this.#checkWaiting(), options.checkMs ?? CHECK_MS).unref();
  }

  /** Why the last launch failed; null: it went well. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Takes in a Chrome that nobody uses; ends it when there is no room. */
  add(spare: SpareBrowser<E>): void {
    if (this.#stop.signal.aborted || this.#waiting.length >= this.#options.size || spare.entry.recycleRequested) {
      this.#endLater(spare);
      return;
    }
    this.#options.roster.move(spare.entry, "warm");
    this.#waiting.push(spare);
    spare.onOutdated?.(() => this.retire(spare.entry));
    void spare.gone.then(({ how }) => {
      if (!this.#remove(spare)) return;
      this.#options.log.warn("a spare Chrome ended while it waited", { pid: spare.entry.pid, how });
      this.#endLater(spare);
      this.wake();
    });
  }

  /**
   * The oldest spare, or the one just being launched, which is ready before any other could be. null: launch one.
   * From this call until `started` nothing is refilled.
   */
  async take(signal: AbortSignal): Promise<SpareBrowser<E> | null> {
    for (let spare = this.#waiting.shift(); spare !== undefined; spare = this.#waiting.shift()) {
      if (spare.isRunning) return spare;
      this.#endLater(spare); // died in this very moment: its exit is not told yet
    }
    if (this.#launching === null || this.#isPromised) return null;
    this.#isPromised = true;
    const promised = this.#launching;
    try {
      return await untilAborted(promised, signal);
    } catch (error) {
      void promised.then((spare) => spare !== null && this.add(spare)); // nobody takes it: it waits like any other
      throw error;
    }
  }

  /** A run begins to wait for a browser; the returned function says that it has one, or gave up. */
  starting(): () => void {
    this.#startingRuns += 1;
    return () => {
      this.#startingRuns -= 1;
      this.#lastTakenAt = performance.now();
      this.wake();
    };
  }

  /** Something changed: launch a spare now, or as soon as it may be. */
  wake(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#stop.signal.aborted) return;
    this.#isMachineBusy = isMachineBusy(this.#isMachineBusy, this.#load());
    const waitMs = waitBeforeRefill({
      now: performance.now(),
      size: this.#failure === null ? this.#options.size : Math.max(1, this.#options.size), // a trial: how else would we know that it works again?
      spares: this.#waiting.length,
      isLaunching: this.#launching !== null,
      startingRuns: this.#startingRuns,
      busyRuns: this.#options.roster.count("busy"),
      slots: this.#options.slots,
      lastTakenAt: this.#lastTakenAt,
      isMachineBusy: this.#isMachineBusy,
      retryAt: this.#retryAt,
    });
    if (waitMs === null) return;
    if (waitMs === 0) void this.#launch();
    else this.#timer = setTimeout(() => this.wake(), waitMs).unref();
  }

  /** A launch, for a run too, went well (null) or failed: the next one for a spare waits accordingly. */
  noteLaunch(failure: string | null): void {
    this.#failure = failure;
    this.#failures = failure === null ? 0 : this.#failures + 1;
    this.#retryAt = failure === null ? 0 : performance.now() + backoffMs(this.#failures);
  }

  /** Ends a spare that was taken and turned out to be of no use. */
  discard(spare: SpareBrowser<E>): void {
    this.#endLater(spare);
  }

  /** Ends a spare that waits; false: it does not wait here. */
  retire(entry: Entry): boolean {
    const spare = this.#waiting.find((each) => each.entry === entry);
    if (spare === undefined || !this.#remove(spare)) return false;
    this.#endLater(spare);
    this.wake();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("The node stops"));
    clearInterval(this.#check);
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#launching;
    for (const spare of this.#waiting.splice(0)) this.#endLater(spare);
    await Promise.all(this.#endings);
  }

  async #launch(): Promise<void> {
    const { roster, log } = this.#options;
    const entry = roster.add("process");
    this.#isPromised = false;
    this.#launching = this.#options.open(entry, this.#stop.signal).then(
      (spare) => {
        this.noteLaunch(null);
        return spare;
      },
      (error: unknown) => {
        if (this.#stop.signal.aborted) return null;
        this.noteLaunch(error instanceof Error ? error.message : String(error));
        log.error("cannot launch a spare Chrome", { error, failures: this.#failures });
        return null;
      },
    );
    const spare = await this.#launching;
    const wasPromised = this.#isPromised;
    this.#launching = null;
    if (spare !== null && !wasPromised) this.add(spare);
    this.wake();
  }

  /** Old ones go, and those that no longer answer: better now than when a run waits. */
  #checkWaiting(): void {
    const { maxAgeMs = MAX_AGE_MS, maxBytes = 0 } = this.#options;
    for (const spare of [...this.#waiting]) {
      if (spare.entry.startedAt.getTime() < Date.now() - maxAgeMs) this.retire(spare.entry);
      else void this.#checkAnswer(spare);
    }
    if (maxBytes > 0) void this.#checkMemory(maxBytes);
    this.wake();
  }

  async #checkMemory(maxBytes: number): Promise<void> {
    const usage = await groupUsage(new Set(this.#waiting.flatMap(({ entry }) => entry.pid ?? [])));
    for (const { entry } of [...this.#waiting]) {
      const bytes = entry.pid === null ? 0 : (usage.get(entry.pid)?.bytes ?? 0);
      if (bytes <= maxBytes || !this.retire(entry)) continue;
      this.#options.log.info("A spare Chrome is replaced: it takes more memory than it may", {
        pid: entry.pid,
        bytes,
        max_bytes: maxBytes,
      });
    }
  }

  async #checkAnswer(spare: SpareBrowser<E>): Promise<void> {
    try {
      await withDeadline(ANSWER_LIMIT_MS, () => askPage(spare.pulse.page));
    } catch (error) {
      if (this.retire(spare.entry)) this.#options.log.warn("a spare Chrome stopped answering", { pid: spare.entry.pid, error });
    }
  }

  #remove(spare: SpareBrowser<E>): boolean {
    const at = this.#waiting.indexOf(spare);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  #endLater(spare: SpareBrowser<E>): void {
    const ending = spare.end().finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
  }
}
