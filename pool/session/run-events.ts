/** A run's events on their way: into the store first, then to its live readers. */

import { untilAborted } from "../../shared/deadline.ts";
import type { NumberedEvent, RunEvent } from "../../shared/event.ts";
import type { TerminalStatus } from "../../shared/run-status.ts";
import { type EndFields, type EventWriter, type Fence, readEvents } from "../store/events.ts";
import { type Store, StoreOutage } from "../store/sql.ts";
import { statusEvents } from "../store/status-change.ts";
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
  /** Not known to be stored, in order. */
  #unstored: RunEvent[] = [];
  /** Why the first event that could not be stored was not. */
  #refusal: unknown = null;
  #lastStoredId: number;
  #underWay: Promise<unknown> = Promise.resolve();

  constructor(options: Options) {
    this.#options = options;
    this.#lastStoredId = options.lastEventId;
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
    this.#follow(
      event,
      writer.append(fence, event).then((stored) => [stored]),
    );
  }

  running(at: Date): void {
    const { writer, fence } = this.#options;
    const [event] = statusEvents({ ...fence, from: "starting", to: "running", at });
    this.#follow(event as RunEvent, writer.transition(fence, "running", { at }));
  }

  /** What must be stored before the run's end, once nothing of it is under way any more (`settled`). Some of it may be there already, after number `after`. */
  unstored(): { after: number; events: RunEvent[]; settled: Promise<unknown> } {
    return { after: this.#lastStoredId, events: [...this.#unstored], settled: this.#underWay };
  }

  /** `onStored`: called before live readers hear of it. @throws as EventWriter.transition */
  async end(status: TerminalStatus, fields: EndFields, onStored: () => void): Promise<void> {
    this.#isEnding = true;
    const { writer, fence } = this.#options;
    await untilAborted(this.#underWay, fields.signal ?? new AbortController().signal);
    // An event that an outage left in doubt is looked for, and stored if it is not there, before anything follows it.
    if (this.#unstored.length > 0) throw new StoreOutage("Events of the run wait to be stored");
    const events = await writer.transition(fence, status, fields);
    onStored();
    await this.#tell(events);
  }

  /** Everything told so far is stored. @throws what kept it from that */
  async stored(): Promise<void> {
    await this.#underWay;
    if (this.#refusal !== null) throw this.#refusal;
    if (this.#unstored.length > 0) return this.stored(); // told meanwhile
  }

  /** The end of this attempt, where another follows: `requeue` writes it. False: it gets none. @throws as `end` */
  async endAttempt(requeue: () => Promise<NumberedEvent[] | null>, signal: AbortSignal): Promise<boolean> {
    await untilAborted(this.#underWay, signal);
    if (this.#unstored.length > 0) throw new StoreOutage("Events of the run wait to be stored");
    const events = await untilAborted(requeue(), signal);
    if (events === null) return false;
    this.#isEnding = true;
    await this.#tell(events);
    return true;
  }

  /** Live readers end here, complete or not; what is stored has the rest. */
  async close(): Promise<void> {
    (await this.#log).end();
  }

  #follow(event: RunEvent, storing: Promise<NumberedEvent[]>): void {
    this.#unstored.push(event);
    const settled = storing.then(
      (events) => {
        this.#unstored = this.#unstored.filter((each) => each !== event);
        this.#lastStoredId = events.at(-1)?.id ?? this.#lastStoredId;
      },
      (error: unknown) => {
        this.#refusal ??= error;
        if (!(error instanceof StoreOutage)) this.#unstored = this.#unstored.filter((each) => each !== event); // refused for ever
      },
    );
    this.#underWay = Promise.all([this.#underWay, settled]);
    storing.then((events) => this.#tell(events)).catch((error: unknown) => this.#options.onFailure(error));
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
