/** Writes the events of this node's runs: in order, without gap or double, whatever happens to the connection. */
import { isDeepStrictEqual } from "node:util";
import { pause } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { NumberedEvent, RunEvent } from "../../shared/event.ts";
import type { RecordingState } from "../../shared/recording.ts";
import type { Clocks } from "../../shared/run.ts";
import { isTerminal, mayFollow, type TerminalStatus, type Warning } from "../../shared/run-status.ts";
import type { Log } from "../telemetry/log.ts";
import { type Batch, type Head, insertEvents, readEvents, readHead } from "./event-batch.ts";
import { type Fence, fencedOff, fenceKey, holds } from "./fence.ts";
import { freeze, toJson } from "./json.ts";
import type { RunLists, RunOutcome } from "./runs.ts";
import { type Sql, type Store, StoreOutage } from "./sql.ts";
import { changeStatus, statusEvents } from "./status-change.ts";

export { type Fence, readEvents };

/** Settles the job of this attempt, in the transaction that ends the run. */
export type SettleJob = (tx: Sql, fence: Fence) => Promise<void>;

export type TransitionFields = { at?: Date; recording_state?: RecordingState; warnings?: Warning[]; clocks?: Clocks; signal?: AbortSignal };
/** `lists` left out: who reads the run folds them from its events. `settled`: nothing is left to store. */
export type EndFields = TransitionFields & { outcome: RunOutcome; lists?: RunLists; settled?: boolean };

type Append = { kind: "append"; fence: Fence; value: RunEvent; json: string; resolve(event: NumberedEvent): void };
type Transition = {
  kind: "transition";
  fence: Fence;
  to: "running" | TerminalStatus;
  fields: TransitionFields & Partial<EndFields>;
  resolve(events: NumberedEvent[]): void;
};
type Waiting = (Append | Transition) & { since: number; reject(error: unknown): void };

type AppendBatch = Batch & { head: Head; items: (Append & Waiting)[] };

const MAX_GROUP = 200;
const OUTAGE_LIMIT_MS = 30_000;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1_000;

/**
 * One a node. What is asked while an insert is under way goes together into the next one, in order of the calls.
 * An outage of the store holds everything back and is tried again; an insert whose fate it left unknown is recognised, not repeated.
 */
export class EventWriter {
  readonly #store: Store;
  readonly #settle: SettleJob;
  readonly #log: Log;
  readonly #outageLimitMs: number;
  readonly #heads = new Map<string, Head>();
  #waiting: Waiting[] = [];
  #pumping = false;

  constructor(options: { store: Store; settle: SettleJob; log: Log; outageLimitMs?: number }) {
    this.#store = options.store;
    this.#settle = options.settle;
    this.#log = options.log;
    this.#outageLimitMs = options.outageLimitMs ?? OUTAGE_LIMIT_MS;
  }

  /** Tells what a claim has just read, which saves reading it again. */
  adopt(head: Head): void {
    this.#heads.set(head.fence.run_id, head);
  }

  /** What is known of this run is not so, or it is over. */
  forget(runId: string): void {
    this.#heads.delete(runId);
  }

  /** Nothing more will be written under this fence. */
  forgetAttempt(fence: Fence): void {
    const known = this.#heads.get(fence.run_id);
    if (known && holds(fence, known.fence)) this.forget(fence.run_id);
  }

  /**
   * Resolves with the event and its number once it is stored; the event is as it will be read back.
   * @throws CONFLICT when the run is over or no longer this attempt's; StoreOutage when the store stayed away too long:
   *   then the event may or may not be there, and a reader of live events must look into the store before it goes on.
   */
  append(fence: Fence, event: RunEvent): Promise<NumberedEvent> {
    const { value, json } = freeze(event);
    return new Promise((resolve, reject) => {
      this.#add({ kind: "append", fence, value, json, resolve, reject, since: performance.now() });
    });
  }

  /**
   * The next state, after every event that was appended before. The end of a run takes its outcome, its `complete` event and its job along,
   * in one transaction. Resolves with the events that it wrote.
   * @throws CONFLICT when the states do not allow it, the run is over, or no longer this attempt's.
   */
  transition(fence: Fence, to: "running", fields?: TransitionFields): Promise<NumberedEvent[]>;
  transition(fence: Fence, to: TerminalStatus, fields: EndFields): Promise<NumberedEvent[]>;
  transition(fence: Fence, to: "running" | TerminalStatus, fields: TransitionFields = {}): Promise<NumberedEvent[]> {
    return new Promise((resolve, reject) => {
      this.#add({ kind: "transition", fence, to, fields, resolve, reject, since: performance.now() });
    });
  }

  /**
   * Stores those of a run's events that are not there yet: a beginning of them may be, after number `after`. May be repeated. Nothing else of the run
   * may be on its way. @throws CONFLICT when the run is over or no longer this attempt's
   */
  async complete(fence: Fence, after: number, events: readonly RunEvent[]): Promise<void> {
    const wanted = events.map((event) => freeze(event).json);
    const stored = await readEvents(this.#store, fence.run_id, after, wanted.length);
    const isThere = stored.every(({ event }, i) => isDeepStrictEqual(event, JSON.parse(wanted[i] ?? "null")));
    if (!isThere) throw fencedOff(fence);
    this.forget(fence.run_id); // whoever writes next reads where it stands
    for (let i = stored.length; i < wanted.length; i++) {
      const event = events[i] as RunEvent;
      if (event.type === "status") await this.transition(fence, "running", { at: new Date(event.at) });
      else await this.append(fence, event);
    }
  }

  #add(item: Waiting): void {
    this.#waiting.push(item);
    if (this.#pumping) return;
    this.#pumping = true;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    for (;;) {
      // What is said in one turn goes together; and the embedded store, which keeps this thread while it works, lets Chrome hear us first.
      await new Promise(setImmediate);
      const [first] = this.#waiting;
      if (!first) break;
      if (first.kind === "transition") {
        this.#waiting.shift();
        await this.#write(first);
      } else {
        const end = this.#waiting.findIndex((item, i) => item.kind === "transition" || i === MAX_GROUP);
        const group = this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
        await this.#writeGroup(group as (Append & Waiting)[]);
      }
    }
    this.#pumping = false;
  }

  /** Never rejects: each item hears of its own end. */
  async #writeGroup(group: (Append & Waiting)[]): Promise<void> {
    const batches: AppendBatch[] = [];
    for (const items of Map.groupBy(group, ({ fence }) => fenceKey(fence)).values()) {
      const { fence } = items[0] as Append;
      try {
        const head = await this.#head(fence, items);
        batches.push({ head, fence, after: head.last_event_id, events: items.map(({ json }) => json), items });
      } catch (error) {
        for (const item of items) item.reject(error);
      }
    }
    await this.#insert(batches);
  }

  async #insert(batches: AppendBatch[]): Promise<void> {
    if (batches.length === 0) return;
    try {
      const all = batches.flatMap(({ items }) => items);
      const written = await this.#throughOutages(all, async (again) => {
        const done = await insertEvents(this.#store, batches);
        return again ? Promise.all(batches.map(async (batch, i) => done[i] || this.#isWritten(batch))) : done;
      });
      for (const [i, batch] of batches.entries()) this.#answer(batch, written[i] === true);
    } catch (error) {
      if (!(error instanceof StoreOutage) && batches.length > 1) {
        for (const batch of batches) await this.#insert([batch]); // one run's fault is not the others'
        return;
      }
      for (const { head, items } of batches) {
        this.#drop(head);
        for (const item of items) item.reject(error);
      }
    }
  }

  #answer({ head, fence, after, items }: AppendBatch, written: boolean): void {
    if (written) head.last_event_id = after + items.length;
    else this.#drop(head);
    for (const [i, item] of items.entries()) {
      if (written) item.resolve({ id: after + 1 + i, event: item.value });
      else item.reject(fencedOff(fence));
    }
  }

  /** Never rejects either. */
  async #write(item: Transition & Waiting): Promise<void> {
    const { fence, to, fields } = item;
    try {
      fields.signal?.throwIfAborted();
      const head = await this.#head(fence, [item]);
      if (!mayFollow(head.status, to)) {
        throw new AppError("CONFLICT", `Run ${fence.run_id} is ${head.status} and cannot become ${to}`, {
          details: { status: head.status },
        });
      }
      const at = fields.at ?? new Date();
      const events = statusEvents({ ...fence, from: head.status, to, at });
      const change = { ...fields, run_id: fence.run_id, from: head.status, to, at, events, fence, expectedEventId: head.last_event_id };
      const done = await this.#throughOutages([item], async (again) => {
        const changed = isTerminal(to)
          ? await this.#store.transaction(async (tx) => {
              const row = await changeStatus(tx, change);
              if (row) await this.#settle(tx, fence);
              return row !== null;
            })
          : (await changeStatus(this.#store, change)) !== null;
        return changed || (again && (await this.#isWritten({ fence, after: head.last_event_id, events: events.map(toJson) })));
      });
      if (!done) throw fencedOff(fence);
      if (isTerminal(to)) this.forget(fence.run_id);
      else this.adopt({ fence, status: to, last_event_id: head.last_event_id + events.length });
      this.#log.info(`Run is ${to}`, { run_id: fence.run_id, from: head.status, to });
      item.resolve(events.map((event, i) => ({ id: head.last_event_id + 1 + i, event })));
    } catch (error) {
      this.forget(fence.run_id);
      item.reject(error);
    }
  }

  async #head(fence: Fence, items: readonly Waiting[]): Promise<Head> {
    const known = this.#heads.get(fence.run_id);
    if (known && holds(fence, known.fence)) return known;
    const head = await this.#throughOutages(items, () => readHead(this.#store, fence));
    if (!head) throw fencedOff(fence);
    this.#heads.set(fence.run_id, head);
    return head;
  }

  /** What we knew of the run is not so, or no longer certain. */
  #drop(head: Head): void {
    if (this.#heads.get(head.fence.run_id) === head) this.forget(head.fence.run_id);
  }

  /** After an outage: are these events the stored ones with these numbers? Whoever took our node for lost adds events under the same fence. */
  async #isWritten({ fence, after, events }: Batch): Promise<boolean> {
    const stored = await readEvents(this.#store, fence.run_id, after, events.length);
    return isDeepStrictEqual(
      stored,
      events.map((json, i) => ({ id: after + 1 + i, event: JSON.parse(json) })),
    );
  }

  /** Tries again while the store is away, as long as the oldest of the items may wait. `again`: an earlier try may have been committed. */
  async #throughOutages<T>(items: readonly Waiting[], work: (again: boolean) => Promise<T>): Promise<T> {
    const until = Math.min(...items.map(({ since }) => since)) + this.#outageLimitMs;
    const signals = items.flatMap((item) => (item.kind === "transition" && item.fields.signal ? [item.fields.signal] : []));
    for (let waitMs = RETRY_MIN_MS, again = false; ; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS), again = true) {
      try {
        return await work(again);
      } catch (error) {
        if (!(error instanceof StoreOutage) || performance.now() + waitMs > until) throw error;
        if (!again) this.#log.warn("The store is away; events wait", { waiting: this.#waiting.length + items.length, error });
        await pause(waitMs, signals[0]);
      }
    }
  }
}
