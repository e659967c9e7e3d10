/** An attempt under its time limit and the run's signal, with its failure put into words. */

import { untilAborted } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import { ActionError } from "./action-error.ts";
import type { Attempt, PerformContext } from "./attempt.ts";
import type { Tabs } from "./tabs.ts";

/** Its limit is over; `obstacle` of the attempt says what stood in the way. */
class OutOfTime extends Error {
  override readonly name = "OutOfTime";
}

/**
 * @throws the signal's reason, as soon as it aborts, whatever the page is doing. Errors that have a code go through; everything else,
 * being out of time too, becomes the ActionError that `failed` makes of it.
 */
export async function runAttempt<T>(
  tabs: Tabs,
  context: PerformContext,
  timeoutMs: number,
  work: (attempt: Attempt) => Promise<T>,
  failed: (attempt: Attempt, error: unknown) => ActionError,
): Promise<T> {
  context.signal.throwIfAborted();
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new OutOfTime(`Not done within ${timeoutMs} ms`)), timeoutMs);
  const signal = AbortSignal.any([context.signal, limit.signal]);
  const attempt: Attempt = {
    tabs,
    context,
    signal,
    timeoutMs,
    endAt: performance.now() + timeoutMs,
    dispatched: false,
    obstacle: null,
    whenLate: null,
  };
  try {
    return await untilAborted(work(attempt), signal);
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof AppError && !(error instanceof ActionError)) throw error; // a credential that is not there, say
    if (limit.signal.aborted) await attempt.whenLate?.();
    throw failed(attempt, error);
  } finally {
    clearTimeout(timer);
  }
}

export const isOutOfTime = (error: unknown): boolean => error instanceof OutOfTime;

/** 5000 → "5 s". */
export const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;
