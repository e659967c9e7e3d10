/** The sessions that are open on this node: what its `live` routes serve. */
import type { AppError } from "../../shared/errors.ts";
import type { Artifact } from "../../shared/recording.ts";
import type { Run } from "../../shared/run.ts";
import type { EventLog } from "./event-log.ts";

/** A run that this node owns: from its claim until its end is stored, and its artifacts are committed or persist has failed. */
export interface LiveRun {
  readonly runId: string;
  readonly attempt: number;
  /** Its end is not written yet, nor under way. */
  readonly isAtWork: boolean;
  readonly apiKeyName: string | null;
  /** The run ended elsewhere, or is another node's: what is known of it here is not so, and what is stored is. */
  readonly isDisowned: boolean;
  /** Resolves once what the store knew before the claim is in it. */
  events(): Promise<EventLog>;
  toRun(): Run;
  /** What is there so far; sizes of growing files are null. */
  artifacts(): Promise<Artifact[]>;
  /** Where the artifacts are staged. */
  readonly dir: string;
  /** Was a trace asked for? */
  readonly keepsTrace: boolean;
  /** A valid zip of what is recorded so far; once the run is over, the finished one, waited for. Null: there is none. */
  trace(): Promise<AsyncIterable<Uint8Array> | null>;
  /** The first reason wins. */
  stop(reason: AppError): void;
  /** As `stop`, and its Chrome is ended in this tick. */
  kill(reason: AppError): void;
  /** The run ended elsewhere, or is another's: it lets go of everything, and writes nothing. */
  gone(): void;
  /** The terminal status is published, or put aside to be. Never rejects. */
  readonly over: Promise<void>;
  /** Nothing more will happen here. Never rejects. */
  readonly settled: Promise<void>;
  /** Asked once it is settled. Resolves once the store has its end too, which may wait in the outbox. Never rejects. */
  readonly published: Promise<void>;
}

export class LiveRuns {
  /** The latest attempt of each, until what is stored says the same: a client who has read its end here must not read something else next. */
  readonly #runs = new Map<string, LiveRun>();
  /** Those that are not settled, also where their next attempt is here already. */
  readonly #all = new Set<LiveRun>();

  add(run: LiveRun): void {
    this.#all.add(run);
    this.#runs.set(run.runId, run);
    void run.settled.then(async () => {
      this.#all.delete(run);
      await run.published;
      if (this.#runs.get(run.runId) === run) this.#runs.delete(run.runId);
    });
  }

  get(runId: string): LiveRun | null {
    const run = this.#runs.get(runId);
    return run && !run.isDisowned ? run : null;
  }

  /** Attempts whose end is not written yet, nor under way. */
  atWork(): { run_id: string; attempt: number }[] {
    return this.all().flatMap((run) => (run.isAtWork ? [{ run_id: run.runId, attempt: run.attempt }] : []));
  }

  /** This attempt lets go, also where the node has the next one in hand already. */
  gone(runId: string, attempt: number): void {
    for (const run of this.#all) if (run.runId === runId && run.attempt === attempt) run.gone();
  }

  all(): LiveRun[] {
    return [...this.#all];
  }

  stopAll(reason: AppError): void {
    for (const run of this.#all) run.stop(reason);
  }

  async settled(): Promise<void> {
    while (this.#all.size > 0) await Promise.all(this.all().map((run) => run.settled));
  }
}
