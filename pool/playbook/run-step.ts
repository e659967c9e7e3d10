/** One step of a run: its attempts, its verification, its recovery. */
import type { Action } from "../../shared/action.ts";
import { untilAborted } from "../../shared/deadline.ts";
import { AppError, type ErrorCode, toErrorDetail } from "../../shared/errors.ts";
import type { RunEvent } from "../../shared/event.ts";
import type { Playbook, Verify } from "../../shared/playbook.ts";
import type { StepResult } from "../../shared/run.ts";
import type { Usage } from "../../shared/run-status.ts";
import { ActionError } from "../actions/action-error.ts";
import type { Log } from "../telemetry/log.ts";
import type { BoundStep, TypedText } from "./bind-step.ts";
import type { Values } from "./template.ts";

/** What whoever performs an action is told besides the action. */
export type ActInfo = {
  /** Index of the step, from 0. */
  step: number;
  description: string;
  /** The description without a page's words. */
  intent: string;
  /** What `evaluate` gets as `params`; no credentials. */
  values: Values;
  /** What the action's `credential_ref` stands for where that is not one whole credential: `composeTyped` makes the text. */
  typed: TypedText | null;
  /** The next action belongs to the same sequence. */
  more: boolean;
  /** Counts tokens that were spent on the step, whatever becomes of it. */
  spend(usage: Usage): void;
};

/** A step that failed twice, for whoever recovers it. */
export type StepFailure = {
  playbook: Playbook;
  step: BoundStep;
  error: AppError;
  /** May input of the step have reached the page? */
  dispatched: boolean;
  spend(usage: Usage): void;
};

/** The step is done. `text`: what it was to extract, if it was. `tookOver`: and so are all that follow it, and proven. */
export type Recovered = { text: string | null; tookOver?: boolean };

/** A `step` event without its time. */
export type StepNotice = Omit<Extract<RunEvent, { type: "step" }>, "type" | "at">;

/** What the session lends a playbook. */
export type RunnerDeps = {
  act(action: Action, info: ActInfo): Promise<{ text: string | null }>;
  verify(verify: Verify): Promise<void>;
  /** What the prompt asks for, found in the text by a model; `stored`: what it may name in braces. @throws LLM_ERROR */
  answer(question: { prompt: string; stored: Values; text: string; spend(usage: Usage): void }): Promise<string>;
  /** Repairs a step, or throws. Null: there is nobody who could. */
  recover(failure: StepFailure): Promise<Recovered | null>;
  onStep(notice: StepNotice): void;
  onResult(result: StepResult): void;
  pause(ms: number, signal: AbortSignal): Promise<void>;
  signal: AbortSignal;
  log: Log;
};

/** How a step ended. `error`: shown to the user; `raw`: what really happened; `cause`: its type decides the code. */
export type StepEnd = { attempts: number; recovered: boolean } & (
  | { success: true; text: string | null; tookOver: boolean }
  | { success: false; cause: AppError; error: string; raw: string }
);

export const RETRY_PAUSE_MS = 1_000;
const NOBODY = " (not recovered: no model is configured)";

/** After these nothing is tried again: the run is over, or a guardrail has spoken. A refusal is an answer, not a breakdown; to work round it is not recovery. */
const FINAL: readonly ErrorCode[] = ["GUARDRAIL_BLOCKED", "STUCK", "BROWSER_CRASHED", "TIMEOUT", "RUN_TERMINATED", "NODE_LOST"];
export const isFinal = (error: AppError): boolean => FINAL.includes(error.code);

/** What is known of a step's attempts so far. */
type Attempts = { count: number; dispatched: boolean; text: string | null; failedAt: "action" | "verify" };

/** Runs a bound step to its end. Never throws. */
export async function runStep(playbook: Playbook, step: BoundStep, deps: RunnerDeps, spend: (usage: Usage) => void): Promise<StepEnd> {
  const attempts: Attempts = { count: 0, dispatched: false, text: null, failedAt: "action" };
  const done = (recovered: boolean, tookOver = false): StepEnd => ({
    attempts: attempts.count,
    recovered,
    success: true,
    text: attempts.text,
    tookOver,
  });
  const failed = (cause: AppError, recovered = false, recovery: AppError | null = null, remark = ""): StepEnd => {
    const shown = step.failure_message !== null && !deps.signal.aborted ? step.failure_message : cause.message;
    const both = (message: string) => (recovery ? `step error: ${message}; recovery error: ${recovery.message}` : message);
    const decisive = recovery && isFinal(recovery) ? recovery : cause;
    return { attempts: attempts.count, recovered, success: false, cause: decisive, error: both(shown), raw: both(cause.message) + remark };
  };

  let error = await attempt(step, attempts, deps, spend);
  if (error === null) return done(false);
  if (isFinal(error) || deps.signal.aborted || step.on_failure === "abort") return failed(error);
  if (mayNotRepeat(step, attempts)) return failed(notRepeated(error));

  if (step.prompt === null) {
    const { failure_message } = step;
    deps.onStep(notice(step, "failed", attempts.count, failure_message ?? error.message));
    try {
      await deps.pause(RETRY_PAUSE_MS, deps.signal);
    } catch (cause) {
      return failed(toAppError(cause, deps));
    }
    error = await attempt(step, attempts, deps, spend);
    if (error === null) return done(false);
  } // a model was asked as often as makes sense already
  if (isFinal(error) || deps.signal.aborted || step.on_failure !== "llm_recover") return failed(error);
  if (mayNotRepeat(step, attempts)) return failed(notRepeated(error));

  let asked = false;
  try {
    const unsure = step.once && attempts.dispatched && attempts.failedAt === "action";
    if (unsure && (await holds(step, deps))) return done(false);
    asked = true;
    const recovered = await untilAborted(deps.recover({ playbook, step, error, dispatched: attempts.dispatched, spend }), deps.signal);
    if (recovered === null) return failed(error, false, null, NOBODY);
    const { text, tookOver = false } = recovered;
    if (step.verify && !tookOver) await untilAborted(deps.verify(step.verify), deps.signal); // the page is past it otherwise
    attempts.text = text;
    return done(true, tookOver);
  } catch (cause) {
    const recovery = toAppError(cause, deps);
    return deps.signal.aborted || !asked ? failed(recovery, asked) : failed(error, true, recovery);
  }
}

export const notice = (
  step: { index: number; action: string; description: string },
  state: StepNotice["state"],
  attempt: number,
  error: string | null,
): StepNotice => ({
  index: step.index,
  action: step.action,
  description: step.description,
  state,
  attempt,
  error,
});

/** Performs and verifies. A `once` step that has sent input is first asked whether it worked. Returns what went wrong, or null. */
async function attempt(step: BoundStep, attempts: Attempts, deps: RunnerDeps, spend: (usage: Usage) => void): Promise<AppError | null> {
  attempts.count += 1;
  deps.onStep(notice(step, "started", attempts.count, null));
  try {
    if (step.once && attempts.dispatched && (await holds(step, deps))) return null;
    attempts.failedAt = "action";
    attempts.text = await performAll(step, attempts, deps, spend);
    if (step.prompt !== null) {
      const question = { prompt: step.prompt, stored: step.stored, text: attempts.text ?? "", spend };
      attempts.text = await untilAborted(deps.answer(question), deps.signal);
    }
    attempts.failedAt = "verify";
    if (step.verify) await untilAborted(deps.verify(step.verify), deps.signal);
    return null;
  } catch (cause) {
    return toAppError(cause, deps);
  }
}

/** Does the step's verification hold? Only a plain failure of it is a no. */
async function holds(step: BoundStep, deps: RunnerDeps): Promise<boolean> {
  if (step.verify === null) return false;
  try {
    await untilAborted(deps.verify(step.verify), deps.signal);
    return true;
  } catch (cause) {
    const error = toAppError(cause, deps);
    if (isFinal(error) || deps.signal.aborted) throw error;
    return false;
  }
}

/** The actions of the step, one after the other, each by itself; the first that fails ends it. Returns the text they extracted. */
async function performAll(step: BoundStep, attempts: Attempts, deps: RunnerDeps, spend: (usage: Usage) => void): Promise<string | null> {
  const texts: string[] = [];
  const { actions, index, description, intent, values } = step;
  for (const [i, { action, typed }] of actions.entries()) {
    try {
      const { text } = await untilAborted(
        deps.act(action, { step: index, description, intent, values, typed, more: i + 1 < actions.length, spend }),
        deps.signal,
      );
      attempts.dispatched ||= sendsInput(action);
      if (text !== null && YIELDS.includes(action.action)) texts.push(text);
    } catch (cause) {
      attempts.dispatched ||= sendsInput(action) && mayHaveDispatched(cause);
      throw step.action === "sequence" && !deps.signal.aborted ? named(toAppError(cause, deps), i, actions.length, action.action) : cause;
    }
  }
  return texts.length > 0 ? texts.join("\n") : null;
}

/** The others leave the page as it is. */
const sendsInput = ({ action }: Action): boolean => !["wait_for", "extract", "scroll"].includes(action);
/** Actions whose text is a result. */
const YIELDS: readonly Action["action"][] = ["extract", "evaluate"];

const named = (error: AppError, i: number, count: number, action: string): AppError =>
  new AppError(error.code, `Action ${i + 1} of ${count} (${action}): ${error.message}`, {
    cause: error,
    details: error.details ?? undefined,
  });

/** Only an error that says so is taken for one before any input. */
const mayHaveDispatched = (error: unknown): boolean => !(error instanceof ActionError && !error.dispatched);

const mayNotRepeat = (step: BoundStep, { dispatched }: Attempts): boolean => step.once && dispatched && step.verify === null;

const notRepeated = (error: AppError): AppError =>
  new AppError(
    error.code,
    `${error.message}; not tried again: the step may happen only once, its input may have reached the page, and it has no verification`,
    {
      cause: error,
      details: error.details ?? undefined,
    },
  );

/** The error as one with a code; once the run is told to end, the reason for that, whatever broke on the way. */
function toAppError(cause: unknown, { signal, log }: Pick<RunnerDeps, "signal" | "log">): AppError {
  if (signal.aborted) return abortReason(signal);
  if (cause instanceof AppError) return cause;
  log.error("A step failed in a way it should not", { error: cause });
  return new AppError("INTERNAL", toErrorDetail(cause).message, { cause });
}

export const abortReason = ({ reason }: AbortSignal): AppError =>
  reason instanceof AppError ? reason : new AppError("RUN_TERMINATED", "The run was ended", { cause: reason });
