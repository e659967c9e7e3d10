/** The one statement that changes a run's status: row, events and notification, where somebody may wait for it, together, or nothing. */
import type { RunEvent } from "../../shared/event.ts";
import type { RecordingState } from "../../shared/recording.ts";
import type { Clocks, EarlierAttempt } from "../../shared/run.ts";
import { isTerminal, type RunStatus, type Warning } from "../../shared/run-status.ts";
import { RUNS_CHANNEL } from "./changes.ts";
import type { Fence, Owner } from "./fence.ts";
import { toJson } from "./json.ts";
import { RUN_COLUMNS, type RunLists, type RunOutcome, type RunRow } from "./runs.ts";
import type { Sql } from "./sql.ts";

export type StatusChange = {
  run_id: string;
  from: RunStatus;
  to: RunStatus;
  at: Date;
  events: RunEvent[];
  /** Refused unless the run is still this attempt's. */
  fence?: Fence;
  /** Refused unless this is the number of its latest event: makes a repetition harmless. */
  expectedEventId?: number;
  /** Sets the owner: a claim. */
  claim?: { owner: Owner; attempt: number; claimId: string };
  /** Back to the queue: the number of the attempt that comes next, and what became of this one. */
  again?: { attempt: number; ended: EarlierAttempt };
  outcome?: RunOutcome;
  lists?: RunLists;
  clocks?: Clocks;
  warnings?: Warning[];
  recording_state?: RecordingState;
  /** Nothing is left to store: the run is `stored` at once. */
  settled?: boolean;
};

/** The events of a change of status; the last of a run is `complete`. */
export function statusEvents(change: { from: RunStatus; to: RunStatus; at: Date; node_id: string | null; attempt: number }): RunEvent[] {
  const { from, to, node_id, attempt } = change;
  const at = change.at.toISOString();
  const status: RunEvent = { type: "status", at, status: to, previous: from, node_id, attempt };
  return isTerminal(to) ? [status, { type: "complete", at, status: to }] : [status];
}

/**
 * The changed row, or null when the run is not as expected. A claim never waits for a row that another holds (it holds its job meanwhile,
 * and whoever ends a queued run takes run and job the other way round).
 */
export async function changeStatus(sql: Sql, change: StatusChange): Promise<RunRow | null> {
  const { fence, claim } = change;
  const over = isTerminal(change.to);
  const values = new Values();
  const set = [
    `status = ${values.add(change.to)}`,
    `last_event_id = r.last_event_id + ${values.add(change.events.length)}::int`,
    ...(claim
      ? [
          `node_id = ${values.add(claim.owner.node_id)}, boot_id = ${values.add(claim.owner.boot_id)}`,
          `node_url = ${values.add(claim.owner.node_url)}, claim_id = ${values.add(claim.claimId)}, attempt = ${values.add(claim.attempt)}, claimed_at = ${values.add(change.at)}`,
        ]
      : []),
    ...(change.again
      ? [
          "node_id = NULL, boot_id = NULL, node_url = NULL, claim_id = NULL, claimed_at = NULL, started_at = NULL, settled_at = NULL",
          `attempt = ${values.add(change.again.attempt)}, requeued_at = ${values.add(change.at)}`,
          `earlier_attempts = r.earlier_attempts || ${values.add(toJson([change.again.ended]))}::jsonb`,
        ]
      : []),
    ...(change.to === "running" ? [`started_at = ${values.add(change.at)}`] : []),
    ...(change.to === "completed" ? [`started_at = coalesce(r.started_at, ${values.add(change.at)})`] : []),
    ...(over ? [`finished_at = ${values.add(change.at)}, sealed_credentials = NULL`] : []),
    ...(change.settled ? [`settled_at = ${values.add(change.at)}`] : []),
    ...(change.outcome ? [`outcome = ${values.add(toJson(change.outcome))}::json`] : []),
    ...(change.lists ? [`lists = ${values.add(toJson(change.lists))}::json`] : []),
    ...(change.clocks ? [`clocks = ${values.add(toJson(change.clocks))}::json`] : []),
    ...(change.warnings?.length ? [`warnings = r.warnings || ${values.add(toJson(change.warnings))}::jsonb`] : []),
    ...(change.recording_state ? [`recording_state = ${values.add(change.recording_state)}`] : []),
  ];
  const where = [
    `run_id = ${values.add(change.run_id)}`,
    `status = ${values.add(change.from)}`,
    ...(fence ? [`node_id = ${values.add(fence.node_id)} AND boot_id = ${values.add(fence.boot_id)}`] : []),
    ...(fence ? [`attempt = ${values.add(fence.attempt)}`] : []),
    ...(change.expectedEventId === undefined ? [] : [`last_event_id = ${values.add(change.expectedEventId)}`]),
  ];
  const columns = claim ? RUN_COLUMNS : "run_id, status, attempt, last_event_id";
  const found = claim
    ? `run_id = (SELECT run_id FROM understudy.runs WHERE ${where.join(" AND ")} FOR UPDATE SKIP LOCKED)`
    : where.join(" AND ");
  const [row] = await sql.query<RunRow>(
    `WITH changed AS (
       UPDATE understudy.runs r SET ${set.join(", ")} WHERE ${found} RETURNING r.*
     ), logged AS (
       INSERT INTO understudy.events (run_id, id, event)
       SELECT changed.run_id, changed.last_event_id - ${values.add(change.events.length)}::int + e.nth::int, e.event
       FROM changed, json_array_elements(${values.add(toJson(change.events))}::json) WITH ORDINALITY AS e (event, nth)
     )
     SELECT ${columns}, ${whoIsTold(change)} FROM changed`,
    values.list,
  );
  return row ?? null;
}

/**
 * A notification wakes every node of the pool, whatever it is about. One waits for its turn in the queue, or for the end of a run that it has asked to
 * stop: its mark and this change are of one row, so that the later of the two knows of the other. Who waits for more looks by itself (`changes.ts`).
 */
function whoIsTold({ from, to }: StatusChange): string {
  const tell = `pg_notify('${RUNS_CHANNEL}', run_id::text)`;
  if (from === "queued" || to === "queued") return tell;
  return isTerminal(to) ? `CASE WHEN stop_requested_at IS NOT NULL THEN ${tell} END` : "NULL";
}

/** Collects the values of a statement; each answers with its placeholder. */
class Values {
  readonly list: unknown[] = [];
  add(value: unknown): string {
    this.list.push(value);
    return `$${this.list.length}`;
  }
}
