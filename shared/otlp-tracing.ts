/** Tracing by OpenTelemetry's SDK. `tracing.ts` loads it, where there is a collector. */
import { ROOT_CONTEXT, type Span as SdkSpan, type SpanContext, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import { getStringFromEnv, parseKeyPairsIntoRecord, parseTraceParent } from "@opentelemetry/core";
import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";
import { BatchSpanProcessor, RandomIdGenerator, TracerProvider } from "@opentelemetry/sdk-trace";
import { validationFailed } from "./errors.ts";
import { OtlpExporter } from "./otlp-exporter.ts";
import {
  otlpHeadersProblem,
  resourceAttributesProblem,
  type Span,
  type SpanFields,
  type SpanKindName,
  TRACEPARENT_HEADER,
  type Tracing,
  type TracingConfig,
  type TracingLog,
  type TracingService,
} from "./tracing.ts";

const BATCH = { scheduledDelayMillis: 2_000, maxQueueSize: 4_096, maxExportBatchSize: 512 };
const CLOSE_LIMIT_MS = 1_500;
const MAX_VALUE_CHARS = 256;
const KINDS: Record<SpanKindName, SpanKind> = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT };

export function openOtlpTracing({ url, headers }: TracingConfig, service: TracingService, log: TracingLog): Tracing {
  const wrong = resourceAttributesProblem(getStringFromEnv("OTEL_RESOURCE_ATTRIBUTES") ?? "");
  if (wrong !== null) log.warn("OTEL_RESOURCE_ATTRIBUTES is left out, all of it", { error: wrong });
  const exporter = new OtlpExporter(url, parseHeaders(headers), log);
  const random = new RandomIdGenerator();
  /** The id of the trace that is begun next; null: any. */
  let wanted: string | null = null;
  const provider = new TracerProvider({
    resource: resourceOf(service),
    spanProcessors: [new BatchSpanProcessor({ exporter, ...BATCH })],
    spanLimits: { attributeValueLengthLimit: MAX_VALUE_CHARS },
    idGenerator: { generateSpanId: () => random.generateSpanId(), generateTraceId: () => wanted ?? random.generateTraceId() },
  });
  const tracer = provider.getTracer("understudy", service.version);

  const spanOf = (span: SdkSpan): Span => {
    let over = false;
    return {
      traceparent: formatTraceparent(span.spanContext()),
      child: (name, fields, kind = "internal") =>
        spanOf(tracer.startSpan(name, { kind: KINDS[kind], attributes: known(fields) }, trace.setSpan(ROOT_CONTEXT, span))),
      set: (fields) => void span.setAttributes(known(fields)),
      end(error = null) {
        if (over) return;
        over = true;
        if (error !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: error }).setAttribute("error.type", error);
        span.end();
      },
    };
  };

  return {
    request(name, head, fields) {
      const parent = parse(head.get(TRACEPARENT_HEADER));
      const context = parent ? trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true }) : ROOT_CONTEXT;
      return spanOf(tracer.startSpan(name, { kind: SpanKind.SERVER, attributes: known(fields) }, context));
    },
    root(name, traceId, linked, fields) {
      const context = parse(linked);
      wanted = traceId;
      try {
        return spanOf(tracer.startSpan(name, { links: context ? [{ context }] : [], attributes: known(fields) }, ROOT_CONTEXT));
      } finally {
        wanted = null;
      }
    },
    [Symbol.asyncDispose]: () => exporter.close(CLOSE_LIMIT_MS, () => provider.shutdown()),
  };
}

/** @throws VALIDATION_FAILED, without the values: they are secrets */
function parseHeaders(text: string): Headers {
  const message = otlpHeadersProblem(text);
  if (message !== null) throw validationFailed("The environment", [{ path: "OTEL_EXPORTER_OTLP_HEADERS", message }]);
  return new Headers({ ...parseKeyPairsIntoRecord(text), "Content-Type": "application/json" });
}

function resourceOf({ name, version, instance }: TracingService) {
  const own = { "service.name": name, "service.version": version, ...(instance ? { "service.instance.id": instance } : {}) };
  const told = detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] }); // OTEL_RESOURCE_ATTRIBUTES; OTEL_SERVICE_NAME has the last word
  return defaultResource().merge(resourceFromAttributes(own)).merge(told);
}

const parse = (traceparent: string | null): SpanContext | null => (traceparent === null ? null : parseTraceParent(traceparent));

const formatTraceparent = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `00-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, "0")}`;

/** What is not known is left out. */
const known = (fields: SpanFields = {}): Record<string, string | number | boolean> =>
  Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string | number | boolean] => entry[1] != null));
