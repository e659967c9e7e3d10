/** Keeps this node's slots filled: claims the next run as soon as a slot is free, and waits only when nothing waits for it. */
import { pause } from "../../shared/deadline.ts";
import { AppError, toErrorDetail } from "../../shared/errors.ts";
import { NO_USAGE } from "../../shared/run-status.ts";
import { FINALIZER_LIMIT_MS } from "../session/finalizer.ts";
import type { EventWriter } from "../store/events.ts";
import type { Owner } from "../store/fence.ts";
import type { Idempotency } from "../store/idempotency.ts";
import type { NewRun, RunRow } from "../store/runs.ts";
import { StoreOutage } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Claim } from "./claim.ts";
import { type Created, claimNext, createRun, type DispatchDeps, WORK_CHANNEL } from "./dispatch.ts";
import type { SlotLease, Slots } from "./slots.ts";
import { Strays } from "./strays.ts";

/** Runs a claimed run to its end, which it has published, or put aside to be published, when it resolves. `expired`: the slot is taken back. */
export type RunSession = (claim: Claim, expired: AbortSignal) => Promise<void>;

/**
 * `mayWait`: does a run wait, as far as this node knows? If not, nothing but a notification makes it look: a look is a transaction, and most are in vain.
 * `onEnded` is told of each run that ended without its session.
 */
export type WorkerOptions = DispatchDeps & {
  owner: Owner;
  slots: Slots;
  writer: EventWriter;
  run: RunSession;
  mayWait?: () => boolean;
  onEnded?: Metrics["runEnded"];
  log: Log;
  floorMs?: number;
};

const FLOOR_MS = 2_000;
const STORE_AWAY_MS = 500;
/** Over a run's own limits and its finalizer's, before its slot is taken back. */
const SLOT_SLACK_MS = 60_000;

/** One a node. Disposed, it takes no more runs; those in hand go on, and `idle` tells of their end. */
export class Worker implements AsyncDisposable {
  readonly #options: WorkerOptions;
  readonly #active = new Set<Promise<void>>();
  /** Creations under way that may come with a claim. */
  readonly #creating = new Set<Promise<unknown>>();
  #taking: { stop: AbortController; loop: Promise<void> } | null = null;
  #listening: AsyncDisposable | null = null;
  #wake: () => void = () => {};
  /** The loop's look at the queue that is under way. Never rejects. */
  #looking: Promise<unknown> = Promise.resolve();
  readonly #strays: Strays;
  readonly #closing = new AbortController();

  private constructor(options: WorkerOptions) {
    this.#options = options;
    this.#strays = new Strays(options.store, options.owner);
  }

  static async open(options: WorkerOptions): Promise<Worker> {
    const worker = new Worker(options);
    worker.#listening = await options.store.listen(WORK_CHANNEL, () => worker.#wake());
    worker.resume();
    return worker;
  }

  get state(): "ready" | "draining" | "drained" {
    if (this.#taking) return "ready";
    return this.#active.size + this.#creating.size > 0 ? "draining" : "drained";
  }

  /** Accepts a run, and claims it for this node at once when a slot is free. @throws as createRun does. */
  async create(run: NewRun, idempotency: Idempotency | null): Promise<Created> {
    const { slots } = this.#options;
    if (slots.busy === slots.total) await this.#looking; // it holds a slot for the moment of a look at the queue
    const lease = this.#taking ? slots.take() : null;
    if (lease === null) return createRun(this.#options, run, { claimFor: null, idempotency });
    const created = this.#createFor(lease, run, idempotency);
    this.#creating.add(created);
    return created.finally(() => this.#creating.delete(created));
  }

  async #createFor(lease: SlotLease, run: NewRun, idempotency: Idempotency | null): Promise<Created> {
    const claimant = { ...this.#options.owner, claim_id: crypto.randomUUID() };
    try {
      const created = await createRun(this.#options, run, { claimFor: claimant, idempotency });
      if (created.claim) this.#start(created.claim, lease);
      else lease[Symbol.dispose]();
      return created;
    } catch (error) {
      lease[Symbol.dispose]();
      if (error instanceof StoreOutage) this.#strays.add(claimant.claim_id);
      throw error;
    }
  }

  /** Takes no more runs; those in hand go on. Resolves once no claim is under way: from then on only a resume brings new ones. */
  async drain(): Promise<void> {
    const taking = this.#taking;
    this.#taking = null;
    taking?.stop.abort();
    await taking?.loop;
    await Promise.allSettled(this.#creating);
  }

  resume(): void {
    if (this.#taking) return;
    const stop = new AbortController();
    this.#taking = { stop, loop: this.#fill(stop.signal) };
  }

  /** Resolves when no run is in hand. */
  async idle(): Promise<void> {
    while (this.#active.size > 0) await Promise.all(this.#active);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.drain();
    await this.#listening?.[Symbol.asyncDispose]();
  }

  /** Never rejects. */
  async #fill(signal: AbortSignal): Promise<void> {
    const { slots } = this.#options;
    while (!signal.aborted) {
      const lease = await slots.next(signal).catch(() => null);
      if (!lease) return; // draining
      const woken = new Promise<void>((resolve) => (this.#wake = resolve)); // before we look: what comes meanwhile counts
      const looked = this.#look(lease, signal);
      this.#looking = looked;
      const found = await looked;
      if (found === "work") continue;
      const rested = new AbortController();
      await Promise.race([woken, this.#rest(found, AbortSignal.any([signal, rested.signal]))]);
      rested.abort();
    }
  }

  /** Until it is time to look again by oneself: notifications can be lost. Never rejects. */
  async #rest(found: "nothing" | "failed", signal: AbortSignal): Promise<void> {
    const { floorMs = FLOOR_MS, mayWait = () => true } = this.#options;
    do
      await pause(found === "nothing" ? floorMs : STORE_AWAY_MS, signal).catch(() => {}); // woken, or draining
    while (found === "nothing" && !signal.aborted && !mayWait() && this.#strays.none);
  }

  /** Fills the slot with the head of the queue, or gives it back. Never rejects. */
  async #look(lease: SlotLease, signal: AbortSignal): Promise<"work" | "nothing" | "failed"> {
    const { owner, log } = this.#options;
    const claimant = { ...owner, claim_id: crypto.randomUUID() };
    try {
      const claim = (await this.#strays.take()) ?? (await claimNext(this.#options, claimant, signal));
      if (claim) this.#start(claim, lease);
      else lease[Symbol.dispose]();
      return claim ? "work" : "nothing";
    } catch (error) {
      lease[Symbol.dispose]();
      if (error instanceof StoreOutage) this.#strays.add(claimant.claim_id);
      if (!signal.aborted) log.warn("Cannot look for work; trying again", { error });
      return "failed";
    }
  }

  #start(claim: Claim, lease: SlotLease): void {
    const { run_id } = claim.run;
    this.#options.log.info("Run is claimed", { run_id, attempt: claim.run.attempt });
    const done = this.#run(claim, lease).finally(() => this.#active.delete(done));
    this.#active.add(done); // not by run: its next attempt may be here before this one has left
  }

  /** Never rejects: whatever happens to the session, the run ends and the slot is free. */
  async #run(claim: Claim, lease: SlotLease): Promise<void> {
    const { writer, run, log } = this.#options;
    const { fence } = claim;
    const expired = new AbortController();
    try {
      // Filling it took so long that it was taken back: the run waits for another, since it is claimed.
      using slot = lease.released ? await this.#options.slots.next(this.#closing.signal) : lease;
      const gone = new Promise<never>((_, reject) => {
        const overdue = () => new AppError("INTERNAL", "The run did not leave its slot in time");
        expired.signal.addEventListener("abort", () => reject(expired.signal.reason), { once: true });
        slot.hold({ run_id: fence.run_id, onExpired: () => expired.abort(overdue()) }, slotLimitMs(claim.run));
      });
      gone.catch(() => {}); // nobody waits for it when the run ends first
      writer.adopt({ fence, status: claim.run.status, last_event_id: claim.run.last_event_id });
      await Promise.race([run(claim, expired.signal), gone]);
    } catch (error) {
      log.error("A run broke off", { run_id: fence.run_id, error });
      await this.#endBroken(claim, error);
    } finally {
      writer.forgetAttempt(fence);
    }
  }

  /** The session did not do it. Tried until it is done; should this node go first, its next start does it. A CONFLICT says that it is done. */
  async #endBroken({ fence, run }: Claim, error: unknown): Promise<void> {
    const outcome = { result: null, data: null, error: toErrorDetail(error), usage: NO_USAGE };
    const recording_state = run.recording_state === "off" ? "off" : "lost";
    while (!this.#closing.signal.aborted) {
      try {
        await this.#options.writer.transition(fence, "failed", { outcome, recording_state, settled: true });
        this.#options.onEnded?.("failed", outcome.error.code);
        return;
      } catch (cause) {
        if (cause instanceof AppError && cause.code === "CONFLICT") return;
        this.#options.log.error("A run that broke off cannot be ended; trying again", { run_id: fence.run_id, error: cause });
        await pause(STORE_AWAY_MS, this.#closing.signal).catch(() => {}); // closing: the loop ends
      }
    }
  }
}

const slotLimitMs = (run: RunRow): number =>
  (run.clock_limits.start + run.request.timeout_seconds) * 1000 + FINALIZER_LIMIT_MS + SLOT_SLACK_MS;
