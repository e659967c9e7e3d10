import { describe, expect, it } from "vitest";
import { foldEvents, INTERRUPTED } from "../../pool/store/fold.ts";
import type { ActionRecord, NumberedEvent, RunEvent } from "../../shared/event.ts";
import { StepResultSchema } from "../../shared/run.ts";
import { NO_USAGE } from "../../shared/run-status.ts";

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const numbered = (events: RunEvent[]): NumberedEvent[] => events.map((event, i) => ({ id: i + 1, event }));
const step = (second: number, index: number, state: "started" | "completed" | "failed", attempt = 1): RunEvent => ({
  type: "step",
  at: at(second),
  index,
  action: "click",
  description: `Step ${index}`,
  state,
  attempt,
  error: state === "failed" ? "No such button" : null,
});
const action = (seq: number): ActionRecord => ({
  at: at(seq),
  seq,
  step: 0,
  tool: "browser",
  action: "click",
  summary: "click Save",
  url: "http://a.test/",
  duration_ms: 5,
  success: true,
  result_text: null,
  error: null,
  screenshot: null,
});
const queued = (attempt: number): RunEvent => ({ type: "status", at: at(0), status: "queued", previous: null, node_id: null, attempt });

describe("a run told by its events", () => {
  it("has its actions, and each step with its end", () => {
    const run = foldEvents(
      numbered([
        queued(1),
        step(1, 0, "started"),
        { type: "action", ...action(1) },
        step(3, 0, "completed"),
        step(3, 1, "started"),
        { type: "action", ...action(2) },
        step(4, 1, "failed"),
        step(5, 1, "started", 2),
        step(7, 1, "failed", 2),
      ]),
    );
    expect(run.actions).toEqual([action(1), action(2)]);
    expect(run.step_results).toMatchObject([
      { index: 0, success: true, attempts: 1, duration_ms: 2000, error: null },
      { index: 1, success: false, attempts: 2, duration_ms: 4000, error: "No such button", raw_error: "No such button" },
    ]);
    for (const result of run.step_results) StepResultSchema.parse(result);
  });

  it("has the step in which its node died, as a failed one", () => {
    const run = foldEvents(numbered([queued(1), step(1, 0, "started")]));
    expect(run.step_results).toMatchObject([{ index: 0, success: false, error: INTERRUPTED }]);
  });

  it("has the tokens of its latest count", () => {
    const total = { model: "a:b", input_tokens: 10, output_tokens: 2, cost_usd: 0.1 };
    const usage: RunEvent = { type: "usage", at: at(1), model: "a:b", input_tokens: 4, output_tokens: 1, cost_usd: null, total };
    expect(foldEvents(numbered([queued(1), usage])).usage).toEqual(total);
    expect(foldEvents(numbered([queued(1)])).usage).toEqual(NO_USAGE);
  });

  it("does not count what an earlier attempt did", () => {
    const run = foldEvents(numbered([queued(1), step(1, 0, "started"), step(2, 0, "completed"), queued(2), step(3, 0, "started")]));
    expect(run.step_results).toMatchObject([{ index: 0, success: false, duration_ms: 0 }]);
  });
});
