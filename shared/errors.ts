/** The one table of error codes, and the one error class. Codes come from the type of what went wrong, never from words in its text. */
import { z } from "zod";
import { eitherInWords, issueInWords } from "./issue-words.ts";

z.config({ customError: issueInWords }); // whoever tells of what a schema found does so through this file

/** Code → HTTP status and meaning. `status: null`: it names how a run ended and is never itself the answer to a request. */
export const ERROR_CODES = {
  VALIDATION_FAILED: { status: 422, meaning: "The request, playbook or parameter is not valid; `details.issues` names each place" },
  UNAUTHORIZED: {
    status: 401,
    meaning: "No API key, or an unknown one; or a viewer link that is not valid or has expired, as `details.reason` says",
  },
  FORBIDDEN: { status: 403, meaning: "The key lacks the scope that this route needs" },
  NOT_FOUND: {
    status: 404,
    meaning: "No such thing, or not yours; `details.reason` says why a run or an artifact is missing where that is known",
  },
  METHOD_NOT_ALLOWED: { status: 405, meaning: "The route exists, with other methods" },
  CONFLICT: { status: 409, meaning: "The state does not allow it, or an idempotency key came again with another body" },
  PAYLOAD_TOO_LARGE: { status: 413, meaning: "The request body is over the limit" },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, meaning: "The request body is not JSON" },
  RANGE_NOT_SATISFIABLE: { status: 416, meaning: "The range lies outside the artifact" },
  RATE_LIMITED: { status: 429, meaning: "Too many requests; come back after `Retry-After`" },
  POOL_SATURATED: { status: 503, meaning: "The queue is full, or every node drains; come back after `Retry-After`" },
  POOL_UNREACHABLE: {
    status: 502,
    meaning:
      "No node answered, the one that owns the run broke off, or the run has not begun to leave anything: `details.reason` says which",
  },
  UPSTREAM_TIMEOUT: { status: 504, meaning: "A node took the request and did not answer in time" },
  GUARDRAIL_BLOCKED: { status: null, meaning: "A guardrail refused an action; `details.rule` names it" },
  STUCK: { status: null, meaning: "The run repeated itself without getting on" },
  STEP_FAILED: {
    status: null,
    meaning: "A step failed, and so did its retry or recovery; or the agent could not do what the directive says",
  },
  TIMEOUT: { status: null, meaning: "A clock ran out; `details.clock` names it" },
  RUN_TERMINATED: { status: null, meaning: "The run was stopped, by request or because its node shut down" },
  BROWSER_CRASHED: { status: null, meaning: "The run's Chrome crashed or stopped answering" },
  NODE_LOST: { status: null, meaning: "The node that ran it died" },
  SETUP_FAILED: { status: null, meaning: "The run could not start: no browser, or its start page did not open" },
  LLM_ERROR: { status: null, meaning: "The model could not be asked" },
  CAPTCHA_FAILED: { status: null, meaning: "A captcha was not resolved in time" },
  INTERNAL: { status: 500, meaning: "A fault of ours" },
} as const satisfies Record<string, { status: number | null; meaning: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;
export const ErrorCodeSchema = z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]);

/** What stands in `error`, in every error response and in every run that did not complete. */
export const ErrorDetailSchema = z
  .object({ code: ErrorCodeSchema, message: z.string(), details: z.record(z.string(), z.unknown()).nullable() })
  .meta({ id: "Error" });
export type ErrorDetail = z.infer<typeof ErrorDetailSchema>;

export const ErrorBodySchema = z.object({ error: ErrorDetailSchema }).meta({ id: "ErrorBody" });
export type ErrorBody = z.infer<typeof ErrorBodySchema>;

/** One place where something is not valid: a path as `steps[2].params.url`, a line (1-based) where the source was text. */
export type Issue = { path: string; message: string; line?: number };

type AppErrorOptions = { cause?: unknown; details?: Record<string, unknown>; retryAfterS?: number };

/** Every error that has a meaning to a caller. The message names what was tried, on what, and what to do; it never holds a secret. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly details: Record<string, unknown> | null;
  /** Seconds after which it makes sense to ask again; becomes the `Retry-After` header. */
  readonly retryAfterS: number | null;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.details = options.details ?? null;
    this.retryAfterS = options.retryAfterS ?? null;
  }
}

/** `VALIDATION_FAILED` with its issues; the message shows the first, so that a terminal reader need not unfold `details`. */
export function validationFailed(what: string, issues: Issue[], verb: "is" | "are" = "is"): AppError {
  const [first] = issues;
  const place = first ? `: ${first.path ? `${first.path}: ` : ""}${first.message}${first.line ? ` (line ${first.line})` : ""}` : "";
  const more = issues.length > 1 ? `, and ${issues.length - 1} more` : "";
  return new AppError("VALIDATION_FAILED", `${what} ${verb} not valid${place}${more}`, { details: { issues } });
}

/** zod's issues in our form. */
export const toIssues = (error: z.ZodError): Issue[] =>
  flatIssues(error.issues).map(({ path, message }) => ({ path: formatPath(path), message }));

/** zod's issues one by one: unknown fields each with a path of their own, and of a union those of the one form that the value was meant to have. */
export function flatIssues(issues: readonly z.core.$ZodIssue[]): { path: PropertyKey[]; message: string }[] {
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => ({ path: [...issue.path, key], message: "Unknown field" }));
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      const meant = issue.errors.filter((form) => !form.some((each) => each.code === "invalid_type" && each.path.length === 0));
      if (meant.length === 1) return flatIssues(meant.flat()).map((each) => ({ ...each, path: [...issue.path, ...each.path] }));
      return [{ path: issue.path, message: eitherInWords(issue.errors.map((form) => form[0]?.message ?? issue.message)) }];
    }
    return [{ path: issue.path, message: issue.message }];
  });
}

/** `["steps", 2, "params", "url"]` → `steps[2].params.url`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`),
    "",
  );
}

/** Any thrown value → what a caller may see. An error without a code shows no message of its own: it may hold anything. */
export function toErrorDetail(error: unknown): ErrorDetail {
  if (error instanceof AppError) return { code: error.code, message: error.message, details: error.details };
  if (error instanceof z.ZodError) return toErrorDetail(validationFailed("The input", toIssues(error)));
  return { code: "INTERNAL", message: "Something went wrong on our side", details: null };
}
