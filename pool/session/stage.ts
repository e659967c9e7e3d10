/** What a session lends the work of its run. */
import type { AppError, ErrorDetail } from "../../shared/errors.ts";
import type { ActionRecord, RunEvent } from "../../shared/event.ts";
import type { Credentials } from "../../shared/secret-value.ts";
import type { Lease } from "../browsers/browsers.ts";
import type { EgressListener } from "../guardrails/egress.ts";
import type { ActionLog } from "../recording/action-log.ts";
import type { Recorder } from "../recording/recorder.ts";
import type { Redactor } from "../secrets/redactor.ts";
import type { RunRow } from "../store/runs.ts";
import type { RunSpans } from "../telemetry/run-spans.ts";
import type { Progress } from "./outcome.ts";

export type OpenRecording = { recorder: Recorder; log: ActionLog };

/** And what it hears from there. */
export type Stage = {
  row: RunRow;
  dir: string;
  credentials: Credentials;
  redactor: Redactor;
  signal: AbortSignal;
  /** Closed by the finalizer: what is put in last is closed first. */
  disposables: AsyncDisposableStack;
  progress: Progress;
  spans: RunSpans;
  /** The browser is gone, or the run is no longer ours. */
  lost: (reason: AppError) => void;
  leased: (lease: Lease<EgressListener>) => void;
  /** From now on the session ends it, before what is in `disposables`. */
  recording: (recording: OpenRecording) => void;
  running: () => void;
  emit: (event: RunEvent) => void;
  /** Resolves once the store has every event that was emitted. */
  stored: () => Promise<void>;
  onRecord: (record: ActionRecord) => void;
  /** `cause`: for the node's log alone. */
  warn: (phase: string, error: ErrorDetail, cause?: unknown) => void;
  /** Holds the idle clock until the result is called. */
  holdIdle: () => () => void;
};

/** Leaves what opens to the finalizer. */
export const keep = async <R extends AsyncDisposable>(stage: Stage, opening: Promise<R>): Promise<R> =>
  stage.disposables.use(await inTime(stage, opening));

/** What opens only after the finalizer has been, is closed at once. */
export async function inTime<R extends AsyncDisposable>({ disposables, signal }: Stage, opening: Promise<R>): Promise<R> {
  const opened = await opening;
  if (disposables.disposed) {
    await opened[Symbol.asyncDispose]();
    throw signal.reason;
  }
  return opened;
}
