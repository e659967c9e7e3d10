/** Ends a run that no session will end: it never started, or its node is gone. */
import { type AppError, toErrorDetail } from "../../shared/errors.ts";
import type { RecordingState } from "../../shared/recording.ts";
import { NO_USAGE, type TerminalStatus, type Usage } from "../../shared/run-status.ts";
import type { RunRow } from "../store/runs.ts";
import type { Sql } from "../store/sql.ts";
import { changeStatus, statusEvents } from "../store/status-change.ts";
import type { JobQueue } from "./boss.ts";

type Row = Pick<RunRow, "run_id" | "status" | "attempt" | "node_id" | "last_event_id" | "recording_state" | "settled_at">;
export const ROW = "run_id, status, attempt, node_id, last_event_id, recording_state, settled_at";
/** Something is left to do: its end, or its artifacts. A run may be settled first, while its end waits in the outbox. As the index runs_open has it. */
export const OPEN = "settled_at IS NULL OR finished_at IS NULL";

type End = { to: TerminalStatus; error: AppError; recording_state: RecordingState; settled: boolean };

/** The caller holds the row (FOR UPDATE), so that nobody else ends it. Row, events, outcome and job, in the caller's transaction. */
export async function endRun(tx: Sql, queue: JobQueue, row: Row, end: End): Promise<void> {
  const at = new Date();
  const change = { run_id: row.run_id, from: row.status, to: end.to, at };
  await changeStatus(tx, {
    ...change,
    events: statusEvents({ ...change, node_id: row.node_id, attempt: row.attempt }),
    expectedEventId: row.last_event_id,
    outcome: { result: null, data: null, error: toErrorDetail(end.error), usage: await usageOf(tx, row.run_id) },
    // What is settled is known: it is committed, whoever says that its node is lost.
    recording_state: row.recording_state === "off" || row.settled_at !== null ? row.recording_state : end.recording_state,
    settled: end.settled,
  });
  if (row.status === "queued") await queue.cancel(tx, row.run_id);
  else await queue.settle(tx, row);
}

/** What its attempts have spent, as far as they told. */
async function usageOf(tx: Sql, runId: string): Promise<Usage> {
  const [last] = await tx.query<{ total: Usage }>(
    "SELECT event->'total' AS total FROM understudy.events WHERE run_id = $1 AND event->>'type' = 'usage' ORDER BY id DESC LIMIT 1",
    [runId],
  );
  return last?.total ?? NO_USAGE;
}

/** A queued run has done nothing, and leaves nothing to store: recording is `off`, whether wanted or not, for nothing was recorded and nothing lost. */
export const endQueued = (tx: Sql, queue: JobQueue, row: Row, to: TerminalStatus, error: AppError): Promise<void> =>
  endRun(tx, queue, row, { to, error, recording_state: "off", settled: true });
