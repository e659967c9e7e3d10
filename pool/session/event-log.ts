/** A live run's events, as its readers see them: in order, each one only after the store has numbered it. */
import type { NumberedEvent } from "../../shared/event.ts";

/**
 * Readers pull by position from one array, so a slow reader costs no memory of its own.
 * The array is as long as the run's log, which the limits on steps and actions bound.
 */
export class EventLog {
  readonly #events: NumberedEvent[];
  #ended = false;
  #waiting: (() => void)[] = [];

  /** `past`: what the store already has, from event 1 on. */
  constructor(past: readonly NumberedEvent[]) {
    this.#events = [...past];
    this.#ended = this.isComplete;
  }

  get lastId(): number {
    return this.#events.at(-1)?.id ?? 0;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  get isComplete(): boolean {
    return this.#events.at(-1)?.event.type === "complete";
  }

  all(): readonly NumberedEvent[] {
    return this.#events;
  }

  /** Tells readers of a stored event. Ids come in order; one that is already here is not taken twice. */
  publish(event: NumberedEvent): void {
    if (this.#ended || event.id <= this.lastId) return;
    this.#events.push(event);
    if (event.event.type === "complete") this.#ended = true;
    this.#wake();
  }

  /** No more events will come from here, complete or not: readers end. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Events after `afterId`, then live ones, until the last or until the signal aborts (then it just ends). */
  async *read(afterId: number, signal: AbortSignal): AsyncGenerator<NumberedEvent> {
    let next = this.#events.findIndex(({ id }) => id > afterId);
    if (next < 0) next = this.#events.length;
    while (!signal.aborted) {
      const event = this.#events[next];
      if (event) {
        next += 1;
        if (event.id > afterId) yield event;
      } else if (this.#ended) {
        return;
      } else {
        await this.#more(signal);
      }
    }
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        this.#waiting = this.#waiting.filter((each) => each !== done);
        resolve();
      };
      signal.addEventListener("abort", done, { once: true });
      this.#waiting.push(done);
    });
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
