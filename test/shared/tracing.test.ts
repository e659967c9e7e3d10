import { resourceAttributesEnvDetector } from "@opentelemetry/resources";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  NO_TRACING,
  openTracing,
  otlpHeadersProblem,
  parseOtlpEndpoint,
  resourceAttributesProblem,
  type Tracing,
} from "../../shared/tracing.ts";
import { type Collector, openCollector } from "../support/collector.ts";

const CALLER = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const traceparent = ({ traceId, spanId }: typeof CALLER, flags = "01") => `00-${traceId}-${spanId}-${flags}`;
const head = (value?: string) => new Headers(value === undefined ? {} : { traceparent: value });
const RUN_TRACE = "0f".repeat(16);

let collector: Collector;
let warnings: [string, unknown][];
let tracing: Tracing;
const open = (url = collector.url, headers = ""): Promise<Tracing> =>
  openTracing(
    { url: parseOtlpEndpoint(url) as string, headers },
    { name: "tested", version: "1.2.3" },
    {
      warn: (message, fields) => void warnings.push([message, fields]),
    },
  );
beforeEach(async () => {
  collector = await openCollector();
  warnings = [];
  tracing = await open();
});
afterEach(async () => {
  await tracing[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
});
const sent = async () => {
  await tracing[Symbol.asyncDispose]();
  return collector.spans;
};

/** So many are sent at once; fewer after a while. */
const BATCH = 512;
const aBatch = () => {
  for (let i = 0; i < BATCH; i++) tracing.request("GET /x", head()).end();
};

describe("tracing", () => {
  it("sends a tree with its fields, times and codes, when it is closed at the latest", async () => {
    const began = Date.now();
    const run = tracing.root("run", RUN_TRACE, traceparent(CALLER), { text: "x".repeat(1_000), count: 3, unknown: null });
    const step = run.child("step", { fraction: 0.5 });
    step.child("action", {}, "client").end("STEP_FAILED");
    step.end();
    step.end("TOO_LATE");
    run.set({ yes: true });
    run.end();
    const [action, second, root] = await sent();
    expect(root).toMatchObject({ service: "tested", traceId: RUN_TRACE, parentId: "", kind: 1, links: [CALLER], error: null });
    expect(root?.fields).toEqual({ text: "x".repeat(256), count: 3, yes: true });
    expect(second).toMatchObject({ traceId: RUN_TRACE, parentId: root?.spanId, fields: { fraction: 0.5 }, error: null });
    expect(action).toMatchObject({ traceId: RUN_TRACE, parentId: second?.spanId, kind: 3, error: "STEP_FAILED" });
    expect(action?.fields).toEqual({ "error.type": "STEP_FAILED" });
    expect(root?.startMs).toBeGreaterThanOrEqual(began - 1);
    expect(root?.endMs).toBeGreaterThanOrEqual(root?.startMs as number);
    expect(warnings).toEqual([]);
  });

  it("goes on with a caller's trace, and begins one of its own where the head names none", async () => {
    const going = tracing.request("GET /x", head(traceparent(CALLER)));
    expect(going.traceparent).toMatch(new RegExp(`^00-${CALLER.traceId}-(?!${CALLER.spanId})[0-9a-f]{16}-01$`));
    const own = ["", "garbage", traceparent(CALLER).toUpperCase(), `00-${"0".repeat(32)}-${CALLER.spanId}-01`, undefined];
    for (const span of [going, ...own.map((value) => tracing.request("GET /x", head(value)))]) span.end();
    const spans = await sent();
    expect(spans[0]).toMatchObject({ traceId: CALLER.traceId, parentId: CALLER.spanId, kind: 2 });
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1 + own.length);
    expect(spans.slice(1).map(({ parentId }) => parentId)).toEqual(own.map(() => ""));
  });

  it("keeps quiet about a request whose caller does not sample it, and passes that on", async () => {
    const span = tracing.request("GET /x", head(traceparent(CALLER, "00")));
    expect(span.traceparent).toMatch(new RegExp(`^00-${CALLER.traceId}-[0-9a-f]{16}-00$`));
    span.end();
    expect(await sent()).toEqual([]);
  });

  it("shows the headers that it was told, and none of them in what it says", async () => {
    await using other = await open(`${collector.url}/base/`, "api-key=s%20ecret,x-team = one");
    other.request("GET /x", head()).end();
    await other[Symbol.asyncDispose]();
    expect(collector.heads[0]).toMatchObject({ "api-key": "s ecret", "x-team": "one", "content-type": "application/json" });
    for (const [text, problem] of [
      ["a=b,hunter2,c=d", "entry 2 is not name=value"],
      ["a=b,api-key=", "entry 2 is not name=value"],
      ["bad name=hunter2", "entry 1 is not name=value"],
      ["a=hunter2;b", "entry 1 has a semicolon, which must be written as %3B"],
      ["a=b,,c=%zzhunter2,", "entry 3 has a value that is no percent-encoded header"],
      ["a=hunter2%0A", "entry 1 has a value that is no percent-encoded header"],
    ] as const) {
      expect(otlpHeadersProblem(text)).toMatch(new RegExp(`^Expected name=value(?!.*hunter2).*; ${problem}$`));
    }
    expect(["", "a=b", " a = b=c== , d=e%2Cf,"].map(otlpHeadersProblem)).toEqual([null, null, null]);
    await expect(open(collector.url, "bad name=hunter2")).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringMatching(/^(?!.*hunter2).*OTEL_EXPORTER_OTLP_HEADERS/),
    });
  });

  it("takes for resource attributes what OpenTelemetry takes, and says of others which entry is wrong", async () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."a=,; %24é"), maxLength: 12 }), (text) => {
        process.env.OTEL_RESOURCE_ATTRIBUTES = text;
        const isTaken =
          Object.keys(resourceAttributesEnvDetector.detect().attributes ?? {}).length > 0 || text.replaceAll(",", "").trim() === "";
        expect(resourceAttributesProblem(text) === null).toBe(isTaken);
      }),
    );
    process.env.OTEL_RESOURCE_ATTRIBUTES = "a=b,c";
    await using _other = await open();
    delete process.env.OTEL_RESOURCE_ATTRIBUTES;
    const error = expect.stringMatching(/; entry 2 is not name=value$/);
    expect(warnings).toEqual([["OTEL_RESOURCE_ATTRIBUTES is left out, all of it", { error }]]);
  });

  it("tries again where a collector asks for that", async () => {
    collector.refusals.push(503);
    aBatch();
    await collector.until((spans) => spans.length === BATCH);
    expect([collector.heads.length, warnings]).toEqual([2, []]);
  });

  it("says once, and without a header, that a collector refuses or is away; what it is told to do goes on", async () => {
    collector.refusals.push(401, 401);
    aBatch();
    await collector.untilAsked(1);
    tracing.request("GET /x", head()).end();
    expect(await sent()).toEqual([]);
    expect(warnings).toEqual([[expect.stringContaining("cannot be sent"), { why: "HTTP 401" }]]);
    const gone = await openCollector();
    await gone[Symbol.asyncDispose]();
    const away = await open(gone.url, "api-key=hunter2");
    away.request("GET /x", head()).end();
    await away[Symbol.asyncDispose]();
    expect(warnings.slice(1)).toEqual([[expect.stringContaining("cannot be sent"), { why: expect.stringContaining("ECONNREFUSED") }]]);
  });

  it("gives a collector that is silent when it is closed a second and a half, and then gives up", async () => {
    collector.refusals.push(null);
    tracing.request("GET /x", head()).end();
    const began = performance.now();
    await sent();
    expect(performance.now() - began).toBeGreaterThan(1_000); // as long as it may
    expect(warnings).toEqual([[expect.stringContaining("cannot be sent"), { why: "No answer before the end of the program" }]]);
    expect(collector.heads).toHaveLength(1);
  });

  it("is nothing at all without a collector", async () => {
    expect(await openTracing(null, { name: "tested", version: "1" }, { warn: () => {} })).toBe(NO_TRACING);
    const span = NO_TRACING.root("run", RUN_TRACE, null);
    expect([span.traceparent, span.child("step")]).toEqual([null, span]);
  });
});
