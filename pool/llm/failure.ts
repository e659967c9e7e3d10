/** What went wrong in asking a model: by type and status, never by words. */
import { AppError } from "../../shared/errors.ts";

/** Stands in `details.cause` of an LLM_ERROR. */
export type LlmCause =
  | "rate_limited"
  | "unavailable"
  | "timeout"
  | "refused"
  | "bad_request"
  | "bad_answer"
  | "circuit_open"
  | "cost_limit";

/** `isOfKey`: no model would take the key; what else is refused may be for this one alone. */
export type LlmFailure = { cause: LlmCause; words: string; isRetryable: boolean; isOfKey: boolean; retryAfterMs: number | null };

/** The shape of the SDK's APICallError; by shape, so that the SDK need not be loaded to know it. */
type ApiError = { statusCode?: number; responseHeaders?: Record<string, string> };

/** The attempt's own limit is over. */
export class AttemptTimeout extends Error {
  override readonly name = "AttemptTimeout";
}

export function toFailure(error: unknown): LlmFailure {
  const none = { isOfKey: false, retryAfterMs: null };
  if (error instanceof AttemptTimeout) return { cause: "timeout", words: "it did not answer in time", isRetryable: true, ...none };
  const { statusCode: status, responseHeaders: headers } = (error ?? {}) as ApiError;
  const given = { isOfKey: status === 401, retryAfterMs: retryAfterMs(headers ?? {}) };
  if (status === undefined) return { cause: "unavailable", words: "the connection failed", isRetryable: true, ...given };
  if (status < 300) return { cause: "bad_answer", words: "the answer is not what its protocol says", isRetryable: true, ...given };
  const words = `it answered ${status}`;
  if (status === 429) return { cause: "rate_limited", words, isRetryable: true, ...given };
  if (status === 408 || status === 409 || status >= 500) return { cause: "unavailable", words, isRetryable: true, ...given };
  if (status === 401 || status === 403)
    return { cause: "refused", words: `${words}: LLM_API_KEY is not accepted`, isRetryable: false, ...given };
  return { cause: "bad_request", words, isRetryable: false, ...given };
}

function retryAfterMs(headers: Record<string, string>): number | null {
  const text = headers["retry-after"];
  if (text === undefined) return null;
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? ms : null;
}

/** The message names the model and the kind of failure. The server's own words stay out: they may repeat the key or the page. */
export const llmError = (model: string, cause: LlmCause, words: string): AppError =>
  new AppError("LLM_ERROR", `The model ${model} could not be asked: ${words}`, { details: { cause, model } });
