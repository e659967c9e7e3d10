/** Runs a bound playbook, step by step. What it does to a page, it does through functions that the session hands it. */
import { counted } from "../../shared/counted.ts";
import { AppError, type ErrorCode } from "../../shared/errors.ts";
import type { StepResult } from "../../shared/run.ts";
import type { Usage } from "../../shared/run-status.ts";
import { type BoundPlaybook, bindStep } from "./bind.ts";
import { abortReason, notice, type RunnerDeps, runStep, type StepEnd } from "./run-step.ts";
import { fill, placeholders, type Values } from "./template.ts";

/** `error` is null when every step succeeded. `step_results` holds every step that began, the failed one last. */
export type PlaybookOutcome = {
  success: boolean;
  /** The last extracted text, or a line that says it is done; null when it failed. */
  result: string | null;
  /** Of the steps that succeeded, in order; empty ones left out. */
  extracted_texts: string[];
  step_results: StepResult[];
  error: AppError | null;
};

/** Runs the steps in order until one fails or the signal aborts. Never throws. */
export async function runPlaybook(bound: BoundPlaybook, given: RunnerDeps): Promise<PlaybookOutcome> {
  const deps = withSafeCallbacks(given);
  const step_results: StepResult[] = [];
  const extracted_texts: string[] = [];
  const stored: Record<string, string> = Object.create(null);
  const ended = (error: AppError | null): PlaybookOutcome => ({
    success: error === null,
    result: error
      ? null
      : (extracted_texts.at(-1) ?? `Playbook "${bound.playbook.name}" completed, ${counted(step_results.length, "step")}`),
    extracted_texts,
    step_results,
    error,
  });

  for (const [index, { store_as, action, description }] of bound.playbook.steps.entries()) {
    if (deps.signal.aborted) return ended(abortReason(deps.signal));
    const began = performance.now();
    let usage: Usage | null = null;
    const spend = (more: Usage) => {
      usage = addUsage(usage, more);
    };
    let shown = { index, action, description: description || action };
    let end: StepEnd;
    try {
      const step = bindStep(bound, index, stored);
      shown = { index, action, description: step.description };
      end = await runStep(bound.playbook, step, deps, spend);
    } catch (error) {
      deps.onStep(notice(shown, "started", 1, null));
      end = bindingFailed(error, authored(bound.playbook.steps[index]?.failure_message ?? null, { ...bound.values, ...stored }));
    }
    const result = toResult(shown, end, Math.round(performance.now() - began), usage);
    step_results.push(result);
    deps.onStep(notice(shown, end.success ? "completed" : "failed", end.attempts, result.error));
    deps.onResult(result);
    if (!end.success) return ended(deps.signal.aborted ? abortReason(deps.signal) : runError(shown, end));
    if (end.text !== null && end.text !== "") extracted_texts.push(end.text);
    if (end.tookOver) return ended(null);
    if (store_as !== null && end.text !== null) stored[store_as] = end.text;
  }
  return ended(null);
}

type Shown = { index: number; action: string; description: string };
type Failed = Extract<StepEnd, { success: false }>;

/** Codes that say how the run ended, whatever step it was in. The others become STEP_FAILED. */
const KEPT: readonly ErrorCode[] = [
  "GUARDRAIL_BLOCKED",
  "STUCK",
  "BROWSER_CRASHED",
  "TIMEOUT",
  "RUN_TERMINATED",
  "NODE_LOST",
  "LLM_ERROR",
  "CAPTCHA_FAILED",
  "INTERNAL",
];

const runError = ({ index, description }: Shown, { cause, error, raw }: Failed): AppError =>
  new AppError(KEPT.includes(cause.code) ? cause.code : "STEP_FAILED", `Step ${index + 1} (${description}): ${error}`, {
    cause,
    details: { ...cause.details, step: index, raw_error: raw },
  });

/** What a stored text made impossible. Nothing was done, and trying again would bind the same. */
function bindingFailed(error: unknown, message: string | null): Failed {
  const cause = error instanceof AppError ? error : new AppError("INTERNAL", "The step could not be bound", { cause: error });
  return { attempts: 1, recovered: false, success: false, cause, error: message ?? cause.message, raw: cause.message };
}

/** The author's message, where all that it names has a value. */
const authored = (message: string | null, values: Values): string | null =>
  message !== null && placeholders(message).every((name) => Object.hasOwn(values, name)) ? fill(message, values) : null;

function toResult(shown: Shown, end: StepEnd, duration_ms: number, usage: Usage | null): StepResult {
  return {
    ...shown,
    success: end.success,
    attempts: end.attempts,
    duration_ms,
    error: end.success ? null : end.error,
    raw_error: end.success ? null : end.raw,
    recovery_used: end.recovered,
    extracted_text: end.success ? end.text : null,
    usage,
  };
}

/** The sum; the model is the one asked last. */
export function addUsage(sum: Usage | null, more: Usage): Usage {
  if (sum === null) return more;
  return {
    model: more.model ?? sum.model,
    input_tokens: sum.input_tokens + more.input_tokens,
    output_tokens: sum.output_tokens + more.output_tokens,
    cost_usd: sum.cost_usd === null && more.cost_usd === null ? null : (sum.cost_usd ?? 0) + (more.cost_usd ?? 0),
  };
}

/** Whoever listens may fail without harm to the run: that is logged. */
function withSafeCallbacks(deps: RunnerDeps): RunnerDeps {
  const safe =
    <T>(name: string, call: (value: T) => void) =>
    (value: T): void => {
      const complain = (error: unknown) => deps.log.error("A listener to the playbook failed", { listener: name, error });
      try {
        Promise.resolve(call(value) as unknown).catch(complain);
      } catch (error) {
        complain(error);
      }
    };
  return { ...deps, onStep: safe("onStep", deps.onStep), onResult: safe("onResult", deps.onResult) };
}
