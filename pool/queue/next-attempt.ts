/** Puts a run whose node or Chrome was lost back into the queue, where it was posted so. */
import type { ErrorDetail } from "../../shared/errors.ts";
import type { NumberedEvent, RunEvent } from "../../shared/event.ts";
import type { EarlierAttempt } from "../../shared/run.ts";
import { NO_USAGE } from "../../shared/run-status.ts";
import { deservesAnother, onceMayBeDone } from "../session/next-attempt.ts";
import { type Fence, fencedOff } from "../store/fence.ts";
import type { RunRow } from "../store/runs.ts";
import type { Sql, Store } from "../store/sql.ts";
import { changeStatus, type StatusChange } from "../store/status-change.ts";
import { readAllEvents } from "../store/to-run.ts";
import type { JobQueue } from "./boss.ts";
import { WORK_CHANNEL } from "./dispatch.ts";

type Row = Pick<RunRow, "run_id" | "status" | "attempt" | "request" | "playbook" | "node_id" | "claimed_at" | "last_event_id"> & {
  stop_requested_at: Date | null;
};
const ROW = "run_id, status, attempt, request, playbook, node_id, claimed_at, last_event_id, stop_requested_at";

/**
 * Ends this attempt, and the run waits for its next one; null when it gets none. In the caller's transaction, which holds the run's row (FOR UPDATE).
 * From then on what the attempt's node still writes is refused.
 */
export async function tryAgain(tx: Sql, queue: JobQueue, runId: string, error: ErrorDetail): Promise<NumberedEvent[] | null> {
  const [row] = await tx.query<Row>(`SELECT ${ROW} FROM understudy.runs WHERE run_id = $1`, [runId]);
  if (!row || row.stop_requested_at !== null || !deservesAnother(row, error)) return null;
  const events = (await readAllEvents(tx, runId)).map(({ event }) => event);
  if (row.playbook && onceMayBeDone(row.playbook, ofAttempt(events, row.attempt))) return null;
  if (!(await queue.retry(tx, row))) return null;
  const at = new Date();
  const attempt = row.attempt + 1;
  const ended: EarlierAttempt = {
    attempt: row.attempt,
    node_id: row.node_id,
    claimed_at: row.claimed_at?.toISOString() ?? null,
    ended_at: at.toISOString(),
    error,
    usage: events.findLast((event) => event.type === "usage")?.total ?? NO_USAGE,
  };
  const event: RunEvent = { type: "status", at: ended.ended_at, status: "queued", previous: row.status, node_id: null, attempt, error };
  const recording_state = row.request.recording.enabled ? "recording" : "off";
  const change: StatusChange = {
    run_id: runId,
    from: row.status,
    to: "queued",
    at,
    events: [event],
    recording_state,
    again: { attempt, ended },
  };
  if (!(await changeStatus(tx, change))) throw new Error(`The row of run ${runId} changed while it was held`);
  await tx.query(`SELECT pg_notify('${WORK_CHANNEL}', $1)`, [runId]);
  return [{ id: row.last_event_id + 1, event }];
}

/** The same for who has only the fence. @throws CONFLICT when the run is over or no longer this attempt's */
export function tryAgainAs(
  { store, queue }: { store: Store; queue: JobQueue },
  fence: Fence,
  error: ErrorDetail,
): Promise<NumberedEvent[] | null> {
  return store.transaction(async (tx) => {
    const [held] = await tx.query(
      `SELECT 1 FROM understudy.runs WHERE run_id = $1 AND node_id = $2 AND boot_id = $3 AND attempt = $4
         AND status IN ('starting', 'running') FOR UPDATE`,
      [fence.run_id, fence.node_id, fence.boot_id, fence.attempt],
    );
    if (!held) throw fencedOff(fence);
    return tryAgain(tx, queue, fence.run_id, error);
  });
}

/** Of an attempt that began with being claimed: the events behind that. */
const ofAttempt = (events: readonly RunEvent[], attempt: number): RunEvent[] =>
  events.slice(events.findLastIndex((event) => event.type === "status" && event.status === "starting" && event.attempt === attempt) + 1);
