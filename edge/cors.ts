/** Calls from pages of other origins: off, unless the operator named the origins. Keys go in a header, never in a cookie, so credentials stay off. */

const EXPOSED = "ETag, Content-Range, Retry-After, X-Request-Id, X-Trace-Source";
const ALLOWED_HEADERS =
  "Authorization, Content-Type, Idempotency-Key, If-None-Match, If-Range, Last-Event-ID, Range, traceparent, X-Request-Id";

/** What an answer to this origin says; empty when it may not be read from there. */
export function corsHead(origins: readonly string[], origin: string | null): Record<string, string> {
  if (origins.length === 0) return {};
  if (origins.includes("*")) return { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED };
  const vary = { Vary: "Origin" };
  if (origin === null || !origins.includes(origin)) return vary;
  return { ...vary, "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED };
}

export const preflightHead = (methods: readonly string[]): Record<string, string> => ({
  "Access-Control-Allow-Methods": methods.join(", "),
  "Access-Control-Allow-Headers": ALLOWED_HEADERS,
  "Access-Control-Max-Age": "600",
});
