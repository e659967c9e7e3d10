/** What a run did, told by its events: for runs whose node did not live to write it down. */
import type { ActionRecord, NumberedEvent, RunEvent } from "../../shared/event.ts";
import type { StepResult } from "../../shared/run.ts";
import { NO_USAGE, type Usage } from "../../shared/run-status.ts";
import type { RunLists } from "./runs.ts";

export const INTERRUPTED = "The run ended during this step";

type StepEvent = Extract<RunEvent, { type: "step" }>;

/** Pure. Takes all events of a run, in order; what an earlier attempt did does not count. A step that never ended is a failed one. */
export function foldEvents(events: readonly NumberedEvent[]): RunLists & { usage: Usage } {
  const attemptStart = events.findLastIndex(({ event }) => event.type === "status" && event.status === "queued");
  const actions: ActionRecord[] = [];
  const steps = new Map<number, StepResult & { startedAt: string }>();
  let usage = NO_USAGE;
  for (const [i, { event }] of events.entries()) {
    if (event.type === "usage") usage = event.total; // whichever attempt it was spent in
    if (i <= attemptStart) continue;
    if (event.type === "action") {
      const { type: _type, ...action } = event;
      actions.push(action);
    } else if (event.type === "step") {
      steps.set(event.index, addStep(steps.get(event.index)?.startedAt ?? event.at, event));
    }
  }
  const step_results = [...steps.values()].sort((a, b) => a.index - b.index).map(({ startedAt: _startedAt, ...result }) => result);
  return { actions, step_results, extracted_texts: [], usage };
}

function addStep(startedAt: string, event: StepEvent): StepResult & { startedAt: string } {
  const error = event.state === "started" ? INTERRUPTED : event.error;
  return {
    index: event.index,
    action: event.action,
    description: event.description,
    success: event.state === "completed",
    attempts: event.attempt,
    duration_ms: Math.max(0, Date.parse(event.at) - Date.parse(startedAt)),
    error,
    raw_error: error,
    recovery_used: false,
    extracted_text: null,
    usage: null,
    startedAt,
  };
}
