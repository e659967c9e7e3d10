/**
 * Egress listeners of contexts of which nobody knows whether they are closed. They refuse everything, and keep their ports until the Chrome or the
 * connection around those contexts has ended: else the next run's listener might get such a port, and the context that run's way out.
 */
import type { Log } from "../telemetry/log.ts";
import { closeAll } from "./close-all.ts";
import type { Egress } from "./held-browser.ts";

type Listener = Pick<Egress, "cut"> & AsyncDisposable;

export class KeptListeners implements AsyncDisposable {
  readonly #all = new Set<Listener>();
  readonly #log: Log;
  #isOver = false;

  constructor(log: Log) {
    this.#log = log;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Cuts it, and keeps it; where all is over already, closes it. */
  async keep(listener: Listener): Promise<void> {
    listener.cut();
    if (this.#isOver) await closeAll([listener], this.#log);
    else this.#all.add(listener);
  }

  /** Its context is closed after all. */
  async release(listener: Listener): Promise<void> {
    if (this.#all.delete(listener)) await closeAll([listener], this.#log);
  }

  /** To be called once no context can be at work any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    const all = [...this.#all];
    this.#all.clear();
    await closeAll(all, this.#log);
  }
}
