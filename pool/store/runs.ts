/** The table of runs: one row a run, from its 202 on. */
import { AppError, type ErrorDetail } from "../../shared/errors.ts";
import type { ActionRecord } from "../../shared/event.ts";
import type { Guardrails } from "../../shared/guardrails.ts";
import type { Playbook } from "../../shared/playbook.ts";
import type { RecordingState } from "../../shared/recording.ts";
import type { Clocks, CreateRun, EarlierAttempt, StepResult } from "../../shared/run.ts";
import { type ClockLimits, isTerminal, type RunStatus, type Usage, type Warning } from "../../shared/run-status.ts";
import type { Fence } from "./fence.ts";
import { toJson } from "./json.ts";
import type { Sql } from "./sql.ts";

/** What the client sent, without what stands in columns of its own: credentials as sealed, the rest as resolved. */
export type RunRequest = Omit<CreateRun, "credentials" | "playbook" | "params" | "guardrails">;
export type RunParams = Record<string, string | number | boolean>;

/** What a new run is made of. `guardrails` are merged, `params` checked; credentials are sealed or absent. */
export type NewRun = {
  run_id: string;
  api_key_name: string | null;
  request: RunRequest;
  playbook: Playbook | null;
  params: RunParams;
  guardrails: Guardrails;
  sealed_credentials: Uint8Array | null;
  /** Known before it begins. */
  warnings?: Warning[];
};

/** How a run ended. */
export type RunOutcome = { result: string | null; data: unknown; error: ErrorDetail | null; usage: Usage };
/** What it did. Kept apart: `GET /runs` leaves these out. */
export type RunLists = { actions: ActionRecord[]; step_results: StepResult[]; extracted_texts: string[] };

export type RunRow = NewRun & {
  status: RunStatus;
  /** From 1. */
  attempt: number;
  /** The owner, once a node has claimed the run. */
  node_id: string | null;
  boot_id: string | null;
  node_url: string | null;
  playbook_id: string | null;
  labels: Record<string, string>;
  clock_limits: ClockLimits;
  /** As read at its end by the session; null before, and where nobody lived to read them. */
  clocks: Clocks | null;
  created_at: Date;
  /** When it came back to the queue, for the attempt that is under way; null in the first. */
  requeued_at: Date | null;
  claimed_at: Date | null;
  started_at: Date | null;
  finished_at: Date | null;
  /** Artifacts are committed, or persist has failed: from now on the run is `stored`. */
  settled_at: Date | null;
  stop_requested_at: Date | null;
  last_event_id: number;
  recording_state: RecordingState;
  warnings: Warning[];
  earlier_attempts: EarlierAttempt[];
  outcome: RunOutcome | null;
  lists: RunLists | null;
};
/** A run that is ours: `starting`, its row as it stands. */
export type Claim = { fence: Fence; run: RunRow };
/** A row of a listing: without lists, sealed credentials and the playbook's text. */
export type RunSummaryRow = Omit<RunRow, "lists" | "sealed_credentials" | "playbook" | "params">;

/** Columns are named as the fields: a row of the driver is a RunRow as it comes. It was written by this folder, under this schema. */
export const SUMMARY_COLUMNS = `run_id, api_key_name, status, attempt, node_id, boot_id, node_url, request, playbook_id, guardrails, labels,
  clock_limits, clocks, created_at, requeued_at, claimed_at, started_at, finished_at, settled_at, stop_requested_at, last_event_id, recording_state,
  warnings, earlier_attempts, outcome`;
export const RUN_COLUMNS = `${SUMMARY_COLUMNS}, playbook, params, sealed_credentials, lists`;

/** The row, or null. With `apiKeyName` another key's run is not there either. */
export async function readRow(sql: Sql, runId: string, apiKeyName: string | null = null): Promise<RunRow | null> {
  const [row] = await sql.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM understudy.runs WHERE run_id = $1 AND ($2::text IS NULL OR api_key_name = $2)`,
    [runId, apiKeyName],
  );
  return row ?? null;
}

/** The status alone: what a caller asks again and again while it waits. Null as readRow's. */
export async function readStatus(sql: Sql, runId: string, apiKeyName: string | null = null): Promise<RunStatus | null> {
  const [row] = await sql.query<{ status: RunStatus }>(
    "SELECT status FROM understudy.runs WHERE run_id = $1 AND ($2::text IS NULL OR api_key_name = $2)",
    [runId, apiKeyName],
  );
  return row?.status ?? null;
}

/** How many runs wait for a slot; with `apiKeyName` of this key alone. */
export async function countQueued(sql: Sql, apiKeyName: string | null = null): Promise<number> {
  const [row] = await sql.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM understudy.runs WHERE status = 'queued' AND ($1::text IS NULL OR api_key_name = $1)",
    [apiKeyName],
  );
  return row?.n ?? 0;
}

/** How many runs wait, and for how many seconds the oldest has; 0 when none does. */
export async function readQueue(sql: Sql, now: Date): Promise<{ queued: number; oldestS: number }> {
  const [row] = await sql.query<{ queued: number; oldest: Date | null }>(
    "SELECT count(*)::int AS queued, min(coalesce(requeued_at, created_at)) AS oldest FROM understudy.runs WHERE status = 'queued'",
    [],
  );
  return { queued: row?.queued ?? 0, oldestS: row?.oldest ? Math.max(0, (now.getTime() - row.oldest.getTime()) / 1000) : 0 };
}

/** The order of those that wait: by priority, then by age. As the index runs_queued has it. */
export const QUEUE_ORDER = "-r.priority, r.created_at, r.run_id";

/** Place in the queue, from 1; null for a run that does not wait. */
export async function queuePosition(sql: Sql, runId: string): Promise<number | null> {
  const [row] = await sql.query<{ position: number }>(
    `SELECT count(*)::int AS position FROM understudy.runs r
     JOIN understudy.runs ahead ON ahead.status = 'queued' AND (-ahead.priority, ahead.created_at, ahead.run_id) <= (${QUEUE_ORDER})
     WHERE r.run_id = $1 AND r.status = 'queued' GROUP BY r.run_id`,
    [runId],
  );
  return row?.position ?? null;
}

/** Warnings are added, the rest is set. `onlyUnsettled`: nothing changes once the run is settled; `attempt`: nor when another one has begun. */
export type Aftermath = {
  warnings?: Warning[];
  recording_state?: RecordingState;
  settled?: boolean;
  onlyUnsettled?: boolean;
  attempt?: number;
};

/** What may still change once a run is over: how its artifacts fared. No fence: a node that salvages is not the one that ran it. */
export async function updateAftermath(sql: Sql, runId: string, aftermath: Aftermath): Promise<void> {
  await sql.query(
    `UPDATE understudy.runs SET
       warnings = warnings || $2::jsonb,
       recording_state = coalesce($3, recording_state),
       settled_at = CASE WHEN $4 THEN coalesce(settled_at, $5) ELSE settled_at END
     WHERE run_id = $1 AND (settled_at IS NULL OR NOT $6) AND ($7::int IS NULL OR attempt = $7)`,
    [
      runId,
      toJson(aftermath.warnings ?? []),
      aftermath.recording_state ?? null,
      aftermath.settled ?? false,
      new Date(),
      aftermath.onlyUnsettled ?? false,
      aftermath.attempt ?? null,
    ],
  );
}

/**
 * What must hold before a run's artifacts are removed; its row is deleted after them. A run that may be deleted stays so.
 * @throws NOT_FOUND for an unknown run, or another key's; CONFLICT while it runs, or its artifacts are on their way to the volume.
 */
export async function assertDeletable(sql: Sql, runId: string, apiKeyName: string | null = null): Promise<void> {
  const [row] = await sql.query<{ status: RunStatus; isDeletable: boolean }>(
    `SELECT status, finished_at IS NOT NULL AND settled_at IS NOT NULL AS "isDeletable" FROM understudy.runs
     WHERE run_id = $1 AND ($2::text IS NULL OR api_key_name = $2)`,
    [runId, apiKeyName],
  );
  if (!row) throw await noSuchRun(sql, runId, apiKeyName);
  if (row.isDeletable) return;
  const details = { status: row.status };
  if (!isTerminal(row.status)) throw new AppError("CONFLICT", `Cannot delete the run: it is ${row.status}; stop it first`, { details });
  throw new AppError("CONFLICT", "Cannot delete the run: its artifacts are still being stored; try again shortly", {
    details,
    retryAfterS: 1,
  });
}

/** Forgets a run and its events. Its idempotency key stays until it expires: who posts again late must not start it anew. @throws as assertDeletable does */
export async function deleteRun(sql: Sql, runId: string, apiKeyName: string | null = null): Promise<void> {
  await assertDeletable(sql, runId, apiKeyName);
  const [gone] = await sql.query(
    `WITH gone AS (DELETE FROM understudy.runs WHERE run_id = $1 RETURNING run_id, api_key_name)
     INSERT INTO understudy.deleted_runs SELECT run_id, api_key_name, now() FROM gone RETURNING run_id`,
    [runId],
  );
  if (!gone) throw await noSuchRun(sql, runId, apiKeyName); // another was faster
}

/** The answer to who asks for a run that is not there. That it was deleted is said for a day, and to nobody whose it was not. */
export async function noSuchRun(sql: Sql, runId: string, apiKeyName: string | null): Promise<AppError> {
  const deleted = await sql.query("SELECT 1 FROM understudy.deleted_runs WHERE run_id = $1 AND ($2::text IS NULL OR api_key_name = $2)", [
    runId,
    apiKeyName,
  ]);
  if (deleted.length > 0) return new AppError("NOT_FOUND", "The run was deleted", { details: { reason: "deleted" } });
  return new AppError("NOT_FOUND", "No run has this id");
}

export async function forgetDeleted(sql: Sql): Promise<void> {
  await sql.query("DELETE FROM understudy.deleted_runs WHERE deleted_at < now() - interval '24 hours'", []);
}

/** Runs that were over and stored before this moment, oldest first, but for `without`: what retention removes. */
export async function settledBefore(sql: Sql, moment: Date, limit: number, without: readonly string[] = []): Promise<string[]> {
  const rows = await sql.query<{ run_id: string }>(
    `SELECT run_id FROM understudy.runs WHERE finished_at < $1 AND settled_at IS NOT NULL AND run_id <> ALL ($3::uuid[])
     ORDER BY finished_at LIMIT $2`,
    [moment, limit, without],
  );
  return rows.map(({ run_id }) => run_id);
}
