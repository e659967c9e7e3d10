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

/** @throws VALIDATION_FAILED where the collector's headers are none */
export async function openTracing(config: TracingConfig | null, service: TracingService, log: TracingLog): Promise<Tracing> {
  if (config === null) return NO_TRACING;
  const { openOtlpTracing } = await import("./otlp-tracing.ts"); // 10 MB a thread, and a tenth of a second of CPU
  return openOtlpTracing(config, service, log);
}
