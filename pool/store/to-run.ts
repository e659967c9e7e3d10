/** A row → the run as clients see it. */
import type { NumberedEvent } from "../../shared/event.ts";
import type { RecordingState } from "../../shared/recording.ts";
import type { Clocks, Run, RunSummary } from "../../shared/run.ts";
import { NO_USAGE, type Usage, type Warning } from "../../shared/run-status.ts";
import { readEvents } from "./event-batch.ts";
import { foldEvents } from "./fold.ts";
import { queuePosition, type RunLists, type RunRow, type RunSummaryRow, readRow } from "./runs.ts";
import type { Sql } from "./sql.ts";

/** What the session knows of its own run and the store does not yet. */
export type LiveParts = Partial<RunLists> & {
  usage?: Usage;
  clocks?: Clocks;
  recording_state?: RecordingState;
  warnings?: Warning[];
  queue_position?: number | null;
};

/** The run as the store alone knows it, or null. What the owner did not write down is read from its events. */
export async function readRun(sql: Sql, runId: string, apiKeyName: string | null = null): Promise<Run | null> {
  const row = await readRow(sql, runId, apiKeyName);
  if (!row) return null;
  if (row.status === "queued") return toRun(row, { queue_position: await queuePosition(sql, runId) });
  if (row.lists) return toRun(row);
  const { usage, ...lists } = foldEvents(await readAllEvents(sql, runId));
  return toRun(row, { ...lists, usage });
}

/** All stored events of a run, in order. */
export async function readAllEvents(sql: Sql, runId: string): Promise<NumberedEvent[]> {
  const events: NumberedEvent[] = [];
  const page = 1000;
  for (;;) {
    const more = await readEvents(sql, runId, events.at(-1)?.id ?? 0, page);
    events.push(...more);
    if (more.length < page) return events;
  }
}

/** Pure but for the time of day: a run that is not over has clocks that tick. */
export function toRun(row: RunRow, live: LiveParts = {}): Run {
  const lists = {
    earlier_attempts: row.earlier_attempts,
    actions: live.actions ?? row.lists?.actions ?? [],
    step_results: live.step_results ?? row.lists?.step_results ?? [],
    extracted_texts: live.extracted_texts ?? row.lists?.extracted_texts ?? [],
  };
  return { ...toSummary(row, live), ...lists };
}

export function toSummary(row: RunSummaryRow, live: LiveParts = {}): RunSummary {
  const base = {
    run_id: row.run_id,
    attempt: row.attempt,
    retries: row.request.retries ?? 0, // of an older version: none
    directive: row.request.directive ?? null,
    playbook_id: row.playbook_id,
    start_url: row.request.start_url ?? null,
    labels: row.labels,
    created_at: row.created_at.toISOString(),
    clocks: live.clocks ?? row.clocks ?? clocksOf(row, new Date()),
    guardrails: row.guardrails,
    result: row.outcome?.result ?? null,
    data: row.outcome?.data ?? null,
    warnings: live.warnings ?? row.warnings,
    usage: live.usage ?? row.outcome?.usage ?? row.earlier_attempts.at(-1)?.usage ?? NO_USAGE,
    recording: { state: live.recording_state ?? row.recording_state, ...(isTraceAloneOff(row.request) ? { trace: false as const } : {}) },
  };
  const unstarted = { started_at: null, finished_at: null, duration_ms: null };
  const node_id = row.node_id ?? "";
  const started_at = (row.started_at ?? row.claimed_at ?? row.created_at).toISOString();
  switch (row.status) {
    case "queued":
      return { ...base, ...unstarted, status: row.status, node_id: null, queue_position: live.queue_position ?? null, error: null };
    case "starting":
      return { ...base, ...unstarted, status: row.status, node_id, queue_position: null, error: null };
    case "running": {
      const duration_ms = since(row.started_at, new Date());
      return { ...base, status: row.status, node_id, started_at, finished_at: null, duration_ms, queue_position: null, error: null };
    }
    case "completed": {
      const ended = { finished_at: endOf(row).toISOString(), duration_ms: since(row.started_at, endOf(row)) };
      return { ...base, ...ended, status: row.status, node_id, started_at, queue_position: null, error: null };
    }
    default:
      return {
        ...base,
        status: row.status,
        node_id: row.node_id,
        started_at: row.started_at?.toISOString() ?? null,
        finished_at: endOf(row).toISOString(),
        duration_ms: row.started_at && since(row.started_at, endOf(row)),
        queue_position: null,
        error: row.outcome?.error ?? { code: "INTERNAL", message: "The run ended without telling why", details: null },
      };
  }
}

const isTraceAloneOff = ({ recording: { enabled, trace } }: Pick<RunRow["request"], "recording">): boolean => enabled && !trace;
/** Was one asked for? */
export const keepsTrace = ({ recording: { enabled, trace } }: Pick<RunRow["request"], "recording">): boolean => enabled && trace;

const endOf = (row: RunSummaryRow): Date => row.finished_at ?? new Date();

/** Milliseconds, never negative: the two moments may be from clocks of two machines. */
const since = (from: Date | null, to: Date): number => (from ? Math.max(0, to.getTime() - from.getTime()) : 0);

/** Clocks as far as the row's moments tell them. How long a run was idle only its session knows. */
export function clocksOf(row: RunSummaryRow, now: Date): Clocks {
  const over = row.finished_at ?? now;
  const clock = (limit_s: number, from: Date | null, to: Date | null) => ({ limit_s, used_s: from ? since(from, to ?? over) / 1000 : 0 });
  return {
    queue: clock(row.clock_limits.queue, row.requeued_at ?? row.created_at, row.claimed_at),
    start: clock(row.clock_limits.start, row.claimed_at, row.started_at),
    idle: clock(row.clock_limits.idle, null, null),
    total: clock(row.request.timeout_seconds, row.started_at, null),
  };
}
