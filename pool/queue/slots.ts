/** Slots: room for runs on this node. Each is a lease that is given back exactly once, and taken back when its time is over. */
import type { Log } from "../telemetry/log.ts";

/** Who is in the slot. `onExpired` must make it leave: abort its run, kill its Chrome. */
export type SlotHolder = { run_id: string; onExpired(): void };

export interface SlotLease extends Disposable {
  /** Says who is in the slot, and when it is taken back however busy it is. Without it the slot is only being filled. */
  hold(holder: SlotHolder, limitMs: number): void;
  readonly released: boolean;
}

export interface Slots extends Disposable {
  readonly total: number;
  readonly busy: number;
  /** A free slot, at once, or null. */
  take(): SlotLease | null;
  /** A slot as soon as one is free; those that wait are served in order. Rejects when the signal aborts. */
  next(signal: AbortSignal): Promise<SlotLease>;
}

/** A slot that nobody said who holds it: filling one takes a transaction, of statements that each have a limit of their own. */
const FILLING_LIMIT_MS = 180_000;

export function createSlots(options: { total: number; log: Log }): Slots {
  const leases = new Set<Lease>();
  const waiting: ((lease: SlotLease) => void)[] = [];

  const open = (): Lease => {
    const lease = new Lease(options.log, () => {
      leases.delete(lease);
      waiting.shift()?.(open());
    });
    leases.add(lease);
    return lease;
  };

  return {
    total: options.total,
    get busy() {
      return leases.size;
    },
    take: () => (leases.size < options.total ? open() : null),
    next: (signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        if (leases.size < options.total) return resolve(open());
        const onAbort = () => {
          waiting.splice(waiting.indexOf(serve), 1);
          reject(signal.reason);
        };
        const serve = (lease: SlotLease) => {
          signal.removeEventListener("abort", onAbort);
          resolve(lease);
        };
        signal.addEventListener("abort", onAbort, { once: true });
        waiting.push(serve);
      }),
    [Symbol.dispose]() {
      for (const lease of leases) lease.disarm();
    },
  };
}

class Lease implements SlotLease {
  readonly #log: Log;
  readonly #free: () => void;
  #timer: NodeJS.Timeout;
  holder: SlotHolder | null = null;
  released = false;

  constructor(log: Log, free: () => void) {
    this.#log = log;
    this.#free = free;
    this.#timer = setTimeout(() => this.#expire(), FILLING_LIMIT_MS);
  }

  hold(holder: SlotHolder, limitMs: number): void {
    if (this.released) return;
    this.holder = holder;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#expire(), limitMs);
  }

  #expire(): void {
    this.#log.error("A slot is taken back: its run did not leave it in time", { run_id: this.holder?.run_id });
    try {
      this.holder?.onExpired();
    } catch (error) {
      this.#log.error("A run could not be told that its slot is taken back", { run_id: this.holder?.run_id, error });
    } finally {
      this[Symbol.dispose]();
    }
  }

  disarm(): void {
    clearTimeout(this.#timer);
  }

  [Symbol.dispose](): void {
    if (this.released) return;
    this.released = true;
    clearTimeout(this.#timer);
    this.#free();
  }
}
