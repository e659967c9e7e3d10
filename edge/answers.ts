/** Everything that leaves the edge leaves through here: values, JSON of a node, errors. Headers are plain objects, which costs Node half of what `Headers` do. */
import { AppError, ERROR_CODES, type ErrorBody, toErrorDetail } from "../shared/errors.ts";
import { REQUEST_ID_HEADER } from "../shared/node.ts";
import type { JsonAnswer } from "./nodes/node-client.ts";

type Head = Record<string, string>;

/** What every answer says: it is what its type says, and nobody keeps it. */
export const commonHead = (requestId: string): Head => ({
  [REQUEST_ID_HEADER]: requestId,
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
});

/** What a browser may show of bytes that a run has left behind: nothing that loads, runs or frames. */
export const ARTIFACT_HEAD: Head = {
  "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
  "Referrer-Policy": "no-referrer",
};

export function answerJson(head: Head, value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { ...head, "Content-Type": "application/json" } });
}

/** A node's JSON as it came: it was looked at, and is not written anew. As text, which Node sends together with the head in one go. */
export function passJson(head: Head, { text }: JsonAnswer, status = 200): Response {
  return new Response(text, { status, headers: { ...head, "Content-Type": "application/json" } });
}

/** Any thrown value → the one shape of errors. A code that only names how runs end is never an answer. */
export function answerError(head: Head, error: unknown, extra: Head = {}): Response {
  const detail = toErrorDetail(error);
  const status = ERROR_CODES[detail.code].status ?? 500;
  const headers: Head = { ...head, ...extra, "Content-Type": "application/json" };
  if (detail.code === "UNAUTHORIZED") headers["WWW-Authenticate"] = 'Bearer realm="understudy"';
  const retryAfterS = error instanceof AppError ? error.retryAfterS : null;
  if (retryAfterS !== null || status === 429 || status === 502 || status === 503 || status === 504) {
    headers["Retry-After"] = String(Math.max(1, Math.ceil(retryAfterS ?? 1)));
  }
  if (detail.code === "RANGE_NOT_SATISFIABLE" && typeof detail.details?.bytes === "number")
    headers["Content-Range"] = `bytes */${detail.details.bytes}`;
  if (error instanceof AppError && error.code === "METHOD_NOT_ALLOWED" && Array.isArray(error.details?.allow)) {
    headers.Allow = error.details.allow.join(", ");
  }
  return new Response(JSON.stringify({ error: detail } satisfies ErrorBody), { status, headers });
}
