/** How a run ended, as one value; and what an error means for it. By type, never by words. */
import { AppError, type ErrorCode, type ErrorDetail, toErrorDetail } from "../../shared/errors.ts";
import type { StepResult } from "../../shared/run.ts";
import { NO_USAGE, type TerminalStatus, type Usage } from "../../shared/run-status.ts";
import type { Redactor } from "../secrets/redactor.ts";

/** What became of the work: kept whatever happened later. */
export type Progress = { result: string | null; data: unknown; extracted_texts: string[]; step_results: StepResult[]; usage: Usage };
export const noProgress = (): Progress => ({ result: null, data: null, extracted_texts: [], step_results: [], usage: NO_USAGE });

export type Outcome = { status: TerminalStatus; error: ErrorDetail | null };

const STATUS_OF: Partial<Record<ErrorCode, TerminalStatus>> = { TIMEOUT: "timeout", RUN_TERMINATED: "terminated" };

/** No error: completed. A clock: timeout. Stop or shutdown: terminated. All else: failed. Redacted: pages echo what was typed into them. */
export function toOutcome(error: unknown, redactor: Redactor): Outcome {
  if (error === null) return { status: "completed", error: null };
  return { status: STATUS_OF[toErrorDetail(error).code] ?? "failed", error: redactedDetail(toErrorDetail(error), redactor) };
}

/** The code is ours; the rest may repeat a page's words. */
export const redactedDetail = ({ code, message, details }: ErrorDetail, redactor: Redactor): ErrorDetail => ({
  code,
  message: redactor.text(message),
  details: details && (redactor.deep(details) as Record<string, unknown>),
});

export const stopRequested = (): AppError =>
  new AppError("RUN_TERMINATED", "The run was stopped by request", { details: { reason: "stop_requested" } });
export const nodeShutDown = (): AppError =>
  new AppError("RUN_TERMINATED", "The run's node shut down before the run was over", { details: { reason: "shutdown" } });

export const nodeDrained = (graceS: number): AppError =>
  new AppError("RUN_TERMINATED", `The run's node was drained, and its grace of ${graceS} s is over`, { details: { reason: "drained" } });
export const killedByOperator = (): AppError =>
  new AppError("RUN_TERMINATED", "The run was ended by an operator", { details: { reason: "killed" } });

/** A fault with all that caused it, for the log. */
export const stackOf = (failure: unknown): string =>
  failure instanceof Error ? `${failure.stack}${failure.cause ? `\ncaused by ${stackOf(failure.cause)}` : ""}` : String(failure);
