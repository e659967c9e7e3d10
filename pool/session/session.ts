/** One run on this node, from its claim to its end: browser, guardrails, recorder, playbook, and the three phases of its finalizer. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { withDeadline } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { ActionRecord, RunEvent } from "../../shared/event.ts";
import type { Artifact } from "../../shared/recording.ts";
import type { Run } from "../../shared/run.ts";
import { isTerminal, NO_USAGE, type Warning } from "../../shared/run-status.ts";
import type { Lease } from "../browsers/browsers.ts";
import type { EgressListener } from "../guardrails/egress.ts";
import { attemptFolder, openRunFolder } from "../recording/run-folder.ts";
import { Redactor } from "../secrets/redactor.ts";
import type { Fence } from "../store/events.ts";
import type { Claim, RunRow } from "../store/runs.ts";
import { keepsTrace, toRun } from "../store/to-run.ts";
import type { RunSpans } from "../telemetry/run-spans.ts";
import { createClocks, queuedSeconds, type RunClocks } from "./clocks.ts";
import { type End, type Ending, type Finality, isConflict, persistPhase, publishPhase } from "./ending.ts";
import type { EventLog } from "./event-log.ts";
import { finalize, type Phase } from "./finalizer.ts";
import type { LiveRun } from "./live-runs.ts";
import { noProgress, type Outcome, type Progress, redactedDetail, stackOf, stopRequested, toOutcome } from "./outcome.ts";
import { RunEvents } from "./run-events.ts";
import type { SessionDeps } from "./session-deps.ts";
import type { OpenRecording, Stage } from "./stage.ts";
import { unsealCredentials } from "./unseal-credentials.ts";
import { failureOf } from "./wind-down.ts";
import { work } from "./work.ts";

/** How long its browser waits for a recording to be written; it may be finished after that. Below the limit of cleanup, which ends the browser too. */
const RECORDING_END_MS = 10_000;

/**
 * States: working → over (status published) → left (Chrome gone, slot may go) → settled (artifacts committed, or put aside).
 * One signal ends the work: stop, clocks, crash, shutdown; the first reason wins. After it only the finalizer runs, under signals of its own.
 */
export class Session implements LiveRun {
  readonly runId: string;
  readonly attempt: number;
  readonly apiKeyName: string | null;
  readonly dir: string;
  readonly keepsTrace: boolean;
  readonly #deps: SessionDeps;
  readonly #fence: Fence;
  readonly #row: RunRow;
  readonly #ending = new AbortController();
  readonly #clocks: RunClocks;
  readonly #events: RunEvents;
  readonly #actions: ActionRecord[] = [];
  readonly #warnings: Warning[] = [];
  readonly #over = Promise.withResolvers<void>();
  readonly #left = Promise.withResolvers<void>();
  readonly #settled = Promise.withResolvers<void>();
  readonly over = this.#over.promise;
  /** The browser is closed and its folder gone. Never rejects. */
  readonly left = this.#left.promise;
  readonly settled = this.#settled.promise;
  readonly #stage = new AsyncDisposableStack();
  readonly #progress: Progress;
  #recording: OpenRecording | null = null;
  #recordingEnd: Promise<void> | null = null;
  #lease: Lease<EgressListener> | null = null;
  readonly #finality: Finality;
  readonly #redactor = new Redactor();
  readonly #spans: RunSpans;

  constructor({ fence, run }: Claim, deps: SessionDeps) {
    this.runId = fence.run_id;
    this.attempt = fence.attempt;
    this.apiKeyName = run.api_key_name;
    this.keepsTrace = keepsTrace(run.request);
    this.dir = join(deps.workDir, attemptFolder(fence));
    this.#progress = { ...noProgress(), usage: run.earlier_attempts.at(-1)?.usage ?? NO_USAGE };
    this.#deps = { ...deps, log: deps.log.with({ run_id: fence.run_id }) };
    this.#fence = fence;
    this.#spans = deps.traces.open(fence);
    this.#row = { ...run };
    this.#finality = { recording: run.recording_state, isDisowned: false, isPublished: true, published: Promise.resolve() };
    this.#clocks = createClocks({
      limits: run.clock_limits,
      totalS: run.request.timeout_seconds,
      queuedS: queuedSeconds(run),
      onFire: (error) => this.stop(error),
    });
    this.#events = new RunEvents({
      store: deps.store,
      writer: deps.writer,
      fence,
      lastEventId: run.last_event_id,
      onFailure: (error) => {
        this.#deps.log.error("An event could not be stored", { error });
        if (isConflict(error)) this.#disown();
        this.stop(error instanceof AppError ? error : new AppError("INTERNAL", "The store was away for too long", { cause: error }));
      },
      log: this.#deps.log,
    });
    if (run.stop_requested_at) this.stop(stopRequested());
  }

  stop(reason: AppError): void {
    this.#ending.abort(reason);
  }

  kill(reason: AppError): void {
    this.stop(reason);
    this.#lease?.kill();
  }

  get isDisowned(): boolean {
    return this.#finality.isDisowned;
  }

  get published(): Promise<void> {
    return this.#finality.published;
  }

  get isAtWork(): boolean {
    return !this.#ending.signal.aborted;
  }

  gone(): void {
    if (!this.isAtWork) return; // its end finds out by itself, or was just written
    this.#deps.log.warn("The run ended elsewhere, or is no longer this node's", { attempt: this.attempt });
    this.#disown();
    this.stop(new AppError("NODE_LOST", "This node was taken for lost while it had the run"));
  }

  #disown(): void {
    this.#finality.isDisowned = true;
    void this.#events.close(); // readers go on with what is stored
  }

  events(): Promise<EventLog> {
    return this.#events.log();
  }

  /** Runs it to its end. Resolves when the slot may go; never rejects. */
  async run(): Promise<void> {
    const { signal } = this.#ending;
    this.#clocks.starting();
    const failure = await failureOf(this.#work(signal), signal);
    this.#ending.abort(new AppError("RUN_TERMINATED", "The run is over")); // whatever still waits for the page, lets go now
    this.#clocks.stop();
    const outcome = toOutcome(failure, this.#redactor);
    this.#spans.end(outcome, this.#progress.usage);
    if (outcome.error) this.#deps.log.info("Run did not complete", { error: outcome.error });
    if (outcome.error?.code === "INTERNAL")
      this.#deps.log.error("A run ended by a fault of ours", { fault: this.#redactor.text(stackOf(failure)) });
    void this.#finalize(outcome);
    await this.left;
  }

  async #work(signal: AbortSignal): Promise<void> {
    await openRunFolder(this.#deps.workDir, attemptFolder(this.#fence));
    this.#deps.secretsInHand.hold(this.#redactor, this.settled);
    const stage: Stage = {
      row: this.#row,
      dir: this.dir,
      credentials: unsealCredentials(this.#row, this.#deps.seal, this.#redactor),
      redactor: this.#redactor,
      signal,
      disposables: this.#stage,
      progress: this.#progress,
      spans: this.#spans,
      lost: (reason) => this.stop(reason),
      leased: (lease) => (this.#lease = lease),
      recording: (recording) => (this.#recording = recording),
      running: () => this.#running(),
      emit: (event) => this.#emit(event),
      stored: () => this.#events.stored(),
      onRecord: (record) => this.#actions.push(record),
      warn: (phase, error, cause) => this.#warn({ phase, error }, cause),
      holdIdle: () => this.#clocks.hold(),
    };
    await work(stage, this.#deps);
  }

  #running(): void {
    this.#clocks.running();
    const at = new Date();
    this.#row.status = "running";
    this.#row.started_at = at;
    this.#events.running(at);
  }

  #emit(event: RunEvent): void {
    this.#clocks.touch();
    this.#events.emit(event);
  }

  #warn(given: Warning, cause?: unknown): void {
    const warning = { ...given, error: redactedDetail(given.error, this.#redactor) };
    this.#warnings.push(warning);
    this.#deps.log.warn("Something went wrong beside the run", {
      phase: warning.phase,
      code: warning.error.code,
      error: cause ?? warning.error,
    });
  }

  async #finalize(outcome: Outcome): Promise<void> {
    const { result, data, usage, ...lists } = this.#progress;
    const end: End = {
      status: outcome.status,
      finished_at: new Date(),
      outcome: { result: outcome.error ? null : result, data: this.#redactor.deep(data), error: outcome.error, usage },
      lists: { actions: this.#actions, ...lists },
      clocks: this.#clocks.read(),
    };
    if (this.#finality.recording === "recording") this.#finality.recording = "finalizing";
    const phases = { publishStatus: publishPhase(this.#ends(), end), cleanup: this.#cleanupPhase(), persist: persistPhase(this.#ends()) };
    await finalize(phases, (warning, cause) => this.#warn(warning, cause));
    await this.#events.close();
    await this.left;
    this.#settled.resolve();
  }

  #ends(): Ending {
    return {
      deps: this.#deps,
      fence: this.#fence,
      row: this.#row,
      dir: this.dir,
      events: this.#events,
      warnings: this.#warnings,
      state: this.#finality,
      over: this.#over.resolve,
      disown: () => this.#disown(),
      endRecording: () => this.#endRecording(),
      recorded: () => this.#recorded(),
      keepsTrace: this.keepsTrace,
      toRun: () => this.toRun(),
      clear: () => this.#clear(),
    };
  }

  #cleanupPhase(): Phase {
    return {
      work: async () => {
        try {
          await withDeadline(RECORDING_END_MS, () => this.#endRecording()); // before its pages end
        } finally {
          await this.#stage.disposeAsync(); // tabs, then browser
          this.#left.resolve();
        }
      },
      failed: () => void this.#dropBrowser(), // not waited for: what is recorded can be stored meanwhile
    };
  }

  /** Whatever cleanup hangs on: no slot is given back while its Chrome lives. */
  async #dropBrowser(): Promise<void> {
    this.#lease?.kill();
    await this.#lease?.[Symbol.asyncDispose]();
    this.#left.resolve();
  }

  /** Once, however often it is asked for; may hang as long as the disk does. */
  #endRecording(): Promise<void> {
    if (!this.#recording) return Promise.resolve();
    const { log, recorder } = this.#recording;
    this.#recordingEnd ??= Promise.all([log.drain(), recorder.finish()]).then(() => {});
    return this.#recordingEnd;
  }

  /** The folder goes when nobody reads from it any more; what a crash leaves of it, the next start sweeps. */
  #clear(): void {
    const released = this.#recording?.recorder.released() ?? Promise.resolve();
    released
      .then(() => rm(this.dir, { recursive: true, force: true }))
      .catch((error: unknown) => this.#deps.log.warn("The run's staging folder could not be removed", { error }));
  }

  #recorded(): Pick<Artifact, "name" | "kind" | "bytes">[] {
    return this.#recording ? [...this.#recording.log.artifacts(), ...this.#recording.recorder.artifacts()] : [];
  }

  toRun(): Run {
    return toRun(this.#row, {
      actions: this.#actions,
      step_results: this.#progress.step_results,
      extracted_texts: this.#progress.extracted_texts,
      usage: this.#progress.usage,
      clocks: this.#clocks.read(),
      recording_state: isTerminal(this.#row.status) ? this.#finality.recording : this.#row.recording_state, // it is told to be ending once the run is
      warnings: [...this.#row.warnings, ...this.#warnings],
    });
  }

  async artifacts(): Promise<Artifact[]> {
    return this.#recorded().map((artifact) => ({ ...artifact, sha256: null }));
  }

  async trace(): Promise<AsyncIterable<Uint8Array> | null> {
    if (!this.keepsTrace) return null;
    if (this.#ending.signal.aborted) await this.left;
    return this.#recording?.recorder.zip() ?? null;
  }
}
