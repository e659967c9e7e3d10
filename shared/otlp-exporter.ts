/**
 * Spans → a collector, as OTLP/HTTP in JSON, over `fetch`. OpenTelemetry's own exporter speaks node:http, and goes on trying while the process wants to end.
 * What cannot be sent is lost: nothing that a run does waits for it.
 */
import { ExportResultCode } from "@opentelemetry/core";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { pause } from "./deadline.ts";
import type { TracingLog } from "./tracing.ts";

const SEND_LIMIT_MS = 5_000;
const ATTEMPTS = 3;
const BACKOFF_MS = 1_000;
/** A collector that is away is told of once in so long. */
const WARN_EVERY_MS = 600_000;
const TRANSIENT = [429, 502, 503, 504]; // by the specification of OTLP/HTTP
type Report = Parameters<SpanExporter["export"]>[1];

export class OtlpExporter implements SpanExporter {
  readonly #url: string;
  readonly #headers: Headers;
  readonly #log: TracingLog;
  /** `closing` ends waiting for another try, `over` whatever is under way. */
  readonly #closing = new AbortController();
  readonly #over = new AbortController();
  readonly #sending = new Set<Promise<void>>();
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(url: string, headers: Headers, log: TracingLog) {
    this.#url = url;
    this.#headers = headers;
    this.#log = log;
  }

  export(spans: ReadableSpan[], report: Report): void {
    const sending = this.#send(spans).then(
      () => report({ code: ExportResultCode.SUCCESS }),
      (error: Error) => {
        this.#warn(error);
        report({ code: ExportResultCode.FAILED, error });
      },
    );
    this.#sending.add(sending);
    void sending.then(() => this.#sending.delete(sending));
  }

  /** Sends what `flush` brings, each batch tried once from now on; gives up when the time is over. */
  async close(limitMs: number, flush: () => Promise<void>): Promise<void> {
    this.#closing.abort();
    const timer = setTimeout(() => this.#over.abort(new Error("No answer before the end of the program")), limitMs);
    await flush().catch(() => {}); // told where it failed
    await Promise.all(this.#sending);
    clearTimeout(timer);
  }

  async shutdown(): Promise<void> {}

  async #send(spans: ReadableSpan[]): Promise<void> {
    const body = JsonTraceSerializer.serializeRequest(spans) as Uint8Array<ArrayBuffer>;
    for (let n = 1; ; n++) {
      const failure = await this.#attempt(body);
      if (failure === null) return;
      if (n === ATTEMPTS || this.#closing.signal.aborted || !failure.isTransient) throw failure.error;
      await pause(BACKOFF_MS * 2 ** (n - 1), this.#closing.signal).catch(() => {}); // closing: one last try
    }
  }

  async #attempt(body: Uint8Array<ArrayBuffer>): Promise<{ error: Error; isTransient: boolean } | null> {
    try {
      const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(SEND_LIMIT_MS)]);
      const response = await fetch(this.#url, { method: "POST", headers: this.#headers, body, signal, redirect: "error" });
      await response.body?.cancel(); // of no interest, and of any length
      const { ok, status } = response;
      return ok ? null : { error: new Error(`HTTP ${status}`), isTransient: TRANSIENT.includes(status) };
    } catch (error) {
      return { error: error as Error, isTransient: true };
    }
  }

  /** Headers are well-formed and the URL holds no password, so no error repeats one. */
  #warn(error: Error): void {
    if (performance.now() - this.#warnedAtMs < WARN_EVERY_MS) return;
    this.#warnedAtMs = performance.now();
    const { message, name } = error.cause instanceof Error ? error.cause : error;
    this.#log.warn("Traces cannot be sent to the collector, and are lost; runs go on without them", { why: message || name });
  }
}
