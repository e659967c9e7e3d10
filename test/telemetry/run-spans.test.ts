import { expect, it } from "vitest";
import { createRunTraces, type RunSpans } from "../../pool/telemetry/run-spans.ts";
import { openTracing, parseOtlpEndpoint } from "../../shared/tracing.ts";
import { openCollector, type SentSpan } from "../support/collector.ts";

const ATTEMPT = { run_id: "0198b1f2-7a6c-4d3e-9f10-2b3c4d5e6f70", node_id: "n1", attempt: 2 };
const TRACE = "0198b1f27a6c4d3e9f102b3c4d5e6f70";
const SPENT = { model: "google:g", input_tokens: 30, output_tokens: 7, cost_usd: 0.5 };
const POSTED = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

/** What a collector is sent of a run that goes so. */
async function traced(go: (spans: RunSpans) => void): Promise<Map<string, SentSpan>> {
  await using collector = await openCollector();
  const url = parseOtlpEndpoint(collector.url) as string;
  await using tracing = await openTracing({ url, headers: "" }, { name: "node", version: "1" }, { warn: () => {} });
  const traces = createRunTraces(tracing);
  traces.posted(ATTEMPT.run_id, `00-${POSTED.traceId}-${POSTED.spanId}-01`);
  go(traces.open(ATTEMPT));
  await tracing[Symbol.asyncDispose]();
  return new Map(collector.spans.map((span) => [span.name, span]));
}

it("a run's trace has the run's id, leads back to who posted it, and holds what was done and asked below the step that it was for", async () => {
  const spans = await traced((run) => {
    run.action({ seq: 1, action: "goto", tool: "session" }).end();
    const step = run.step(0, "click");
    run.action({ seq: 2, action: "click", tool: "playbook" }).end("STEP_FAILED");
    const ask = run.ask("google:gemini:pro");
    ask.spend(SPENT);
    ask.spend(SPENT);
    ask.end("LLM_ERROR");
    step.end();
    run.step(1, "extract").end();
    run.action({ seq: 3, action: "scroll", tool: "agent" }).end();
    run.end({ status: "completed", error: null }, SPENT);
  });
  const parents = Object.fromEntries(
    [...spans.values()].map(({ name, parentId }) => [name, [...spans.values()].find(({ spanId }) => spanId === parentId)?.name]),
  );
  expect(parents).toEqual({
    ...{ run: undefined, "action goto": "run", "step click": "run", "step extract": "run", "action scroll": "run" },
    ...{ "action click": "step click", "chat gemini:pro": "step click" },
  });
  expect(new Set([...spans.values()].map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
  expect(spans.get("run")).toMatchObject({ links: [POSTED], error: null });
  expect(spans.get("run")?.fields).toEqual({
    "understudy.run_id": ATTEMPT.run_id,
    "understudy.node_id": "n1",
    "understudy.attempt": 2,
    "understudy.status": "completed",
    "understudy.cost_usd": 0.5,
    "gen_ai.usage.input_tokens": 30,
    "gen_ai.usage.output_tokens": 7,
  });
  expect(spans.get("chat gemini:pro")?.fields).toEqual({
    "error.type": "LLM_ERROR",
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "gcp.gemini",
    "gen_ai.request.model": "gemini:pro",
    "gen_ai.usage.input_tokens": 60,
    "gen_ai.usage.output_tokens": 14,
  });
  expect(spans.get("action click")).toMatchObject({
    error: "STEP_FAILED",
    fields: { "understudy.action": "click", "understudy.seq": 2, "understudy.tool": "playbook" },
  });
});

it("a step under way ends with its run, by the run's code", async () => {
  const spans = await traced((run) => {
    run.step(3, "wait_for");
    run.end({ status: "timeout", error: { code: "TIMEOUT" } }, SPENT);
  });
  expect([...spans.values()].map(({ name, error }) => [name, error])).toEqual([
    ["step wait_for", "TIMEOUT"],
    ["run", "TIMEOUT"],
  ]);
  expect(spans.get("step wait_for")?.fields).toMatchObject({ "understudy.step": 3, "understudy.action": "wait_for" });
});
