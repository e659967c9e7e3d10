/** What edge and nodes trace with. Without a collector every span is the same one that does nothing, and none of OpenTelemetry's code is loaded. */

export const TRACEPARENT_HEADER = "traceparent";

/** Names of ours, codes, ids, counts. Never a text of a page or a caller, unless it was masked. */
export type SpanFields = Record<string, string | number | boolean | null | undefined>;
export type SpanKindName = "internal" | "server" | "client";

export interface Span {
  /** What carries it on to another process (W3C Trace Context); null: nothing is traced. */
  readonly traceparent: string | null;
  child(name: string, fields?: SpanFields, kind?: SpanKindName): Span;
  set(fields: SpanFields): void;
  /** Once; later ends are not heard. `error`: a code. */
  end(error?: string | null): void;
}

export interface Tracing extends AsyncDisposable {
  /** A request that is served. Goes on with the trace that its head names, where it names one. */
  request(name: string, head: { get(name: string): string | null }, fields?: SpanFields): Span;
  /** The root of a trace of its own. `traceId`: 32 hex digits. `linked`: traceparent of what has brought it about. */
  root(name: string, traceId: string, linked: string | null, fields?: SpanFields): Span;
}

/** Where spans are sent. `headers`: as in OTEL_EXPORTER_OTLP_HEADERS. */
export type TracingConfig = { url: string; headers: string };
/** Who sends them, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say otherwise. */
export type TracingService = { name: string; version: string; instance?: string };
export type TracingLog = { warn(message: string, fields?: Record<string, unknown>): void };

export const NO_SPAN: Span = { traceparent: null, child: () => NO_SPAN, set() {}, end() {} };
export const NO_TRACING: Tracing = { request: () => NO_SPAN, root: () => NO_SPAN, async [Symbol.asyncDispose]() {} };

export const OTLP_ENDPOINT_FORM =
  "http://host:port or https://…, without user, password and query; OTEL_EXPORTER_OTLP_HEADERS takes secrets";

/** OTEL_EXPORTER_OTLP_ENDPOINT, a base URL, → where traces are posted; null: it is none. */
export function parseOtlpEndpoint(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { protocol, username, password, search, hash, origin, pathname } = new URL(text);
  if (!/^https?:$/.test(protocol) || username + password + search + hash !== "") return null;
  return `${origin}${pathname.replace(/\/+$/, "")}/v1/traces`;
}

/** Of OTEL_EXPORTER_OTLP_HEADERS: what is wrong with an entry, by its place, since it may be a secret; null: nothing. OpenTelemetry's own reader leaves such an entry out. */
export function otlpHeadersProblem(text: string): string | null {
  return entriesProblem(text, (entry) => {
    const [, name = "", value = ""] = /^([^=]*)=(.*)$/s.exec(entry) ?? [];
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name.trim()) || value.trim() === "") return "is not name=value";
    if (value.includes(";")) return "has a semicolon, which must be written as %3B";
    const decoded = decode(value.trim());
    return decoded !== null && /^[\t\x20-\x7e\x80-\xff]*$/.test(decoded) ? null : "has a value that is no percent-encoded header";
  });
}

/** Of OTEL_RESOURCE_ATTRIBUTES, as above. OpenTelemetry then leaves out all of them, as its specification asks. */
export function resourceAttributesProblem(text: string): string | null {
  return entriesProblem(text, (entry) => {
    const [name = "", value, ...more] = entry.split("=").map((each) => decode(each.trim()));
    if (name === "" || value === undefined || more.length > 0) return "is not name=value";
    if (name === null || value === null) return "is not percent-encoded";
    return Math.max(name.length, value.length) > MAX_ATTRIBUTE_CHARS ? `is longer than ${MAX_ATTRIBUTE_CHARS} characters` : null;
  });
}
const MAX_ATTRIBUTE_CHARS = 255;

function entriesProblem(text: string, problemOf: (entry: string) => string | null): string | null {
  for (const [i, entry] of text.split(",").entries()) {
    const problem = entry.trim() === "" ? null : problemOf(entry);
    if (problem !== null) return `Expected name=value, comma-separated, values percent-encoded; entry ${i + 1} ${problem}`;
  }
  return null;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** @throws VALIDATION_FAILED where the collector's headers are none */
export async function openTracing(config: TracingConfig | null, service: TracingService, log: TracingLog): Promise<Tracing> {
  if (config === null) return NO_TRACING;
  const { openOtlpTracing } = await import("./otlp-tracing.ts"); // 10 MB a thread, and a tenth of a second of CPU
  return openOtlpTracing(config, service, log);
}
