/** A run's events on their way: into the store first, then to its live readers. */
import type { NumberedEvent, RunEvent } from "../../shared/event.ts";
import type { TerminalStatus } from "../../shared/run-status.ts";
import { type EndFields, type EventWriter, type Fence, readEvents } from "../store/events.ts";
import type { Store } from "../store/sql.ts";
import { readAllEvents } from "../store/to-run.ts";
import type { Log } from "../telemetry/log.ts";
import { EventLog } from "./event-log.ts";

type Options = {
  store: Store;
  writer: EventWriter;
  fence: Fence;
  /** Number of the latest event that the store had at the claim. */
  lastEventId: number;
  /** An event could not be stored: the run cannot go on. */
  onFailure: (error: unknown) => void;
  log: Log;
};

export class RunEvents {
  readonly #options: Options;
  readonly #log: Promise<EventLog>;
  #isEnding = false;

  constructor(options: Options) {
    this.#options = options;
    this.#log = this.#readPast();
  }

  /** What live readers read from; there once what the store knew before the claim is in it. */
  log(): Promise<EventLog> {
    return this.#log;
  }

  /** Every event of the run: as told live, where that is all of it. */
  async all(): Promise<readonly NumberedEvent[]> {
    const log = await this.#log;
    return log.isComplete ? log.all() : readAllEvents(this.#options.store, this.#options.fence.run_id);
  }

  /** Goes out beside the work; in order of the calls. */
  emit(event: RunEvent): void {
    if (this.#isEnding) return; // the store would refuse it, and that must not look as if the run were another's
    const { writer, fence } = this.#options;
    this.#follow(writer.append(fence, event).then((stored) => [stored]));
  }

  running(at: Date): void {
    const { writer, fence } = this.#options;
    this.#follow(writer.transition(fence, "running", { at }));
  }

  /** `onStored`: called before live readers hear of it. @throws as EventWriter.transition */
  async end(status: TerminalStatus, fields: EndFields, onStored: () => void): Promise<void> {
    this.#isEnding = true;
    const { writer, fence } = this.#options;
    const events = await writer.transition(fence, status, fields);
    onStored();
    await this.#tell(events);
  }

  /** Live readers end here, complete or not; what is stored has the rest. */
  async close(): Promise<void> {
    (await this.#log).end();
  }

  #follow(stored: Promise<NumberedEvent[]>): void {
    stored.then((events) => this.#tell(events)).catch((error: unknown) => this.#options.onFailure(error));
  }

  /** To live readers, in order. An event whose storing was in doubt may be there after all: then it is read, not left out. */
  async #tell(events: readonly NumberedEvent[]): Promise<void> {
    const log = await this.#log;
    if (log.isEnded) return; // nobody reads here
    const [first] = events;
    if (first && first.id > log.lastId + 1) {
      const { store, fence } = this.#options;
      for (const missed of await readEvents(store, fence.run_id, log.lastId, first.id - log.lastId - 1)) log.publish(missed);
    }
    for (const event of events) log.publish(event);
  }

  async #readPast(): Promise<EventLog> {
    const { store, fence, lastEventId, log } = this.#options;
    try {
      return new EventLog(await readEvents(store, fence.run_id, 0, lastEventId));
    } catch (error) {
      log.warn("The run's first events could not be read: it is not served live", { error });
      const none = new EventLog([]);
      none.end(); // a reader goes to the stored events then
      return none;
    }
  }
}
