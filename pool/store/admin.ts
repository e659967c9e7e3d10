/** What operators look at: runs in hand, the queue, and who did what to the pool. */
import type { AuditEntry, AuditPage, Queue, Sessions } from "../../shared/admin.ts";
import type { Owner } from "./fence.ts";
import { QUEUE_ORDER, type RunRow, readQueue } from "./runs.ts";
import type { Sql } from "./sql.ts";

type Row = Pick<RunRow, "run_id" | "attempt" | "api_key_name" | "playbook_id" | "labels" | "created_at" | "status"> &
  Pick<RunRow, "claimed_at" | "started_at" | "last_event_id" | "requeued_at" | "stop_requested_at"> & { node_id: string; priority: number };

const base = ({ run_id, attempt, api_key_name, playbook_id, labels, created_at }: Row) => ({
  ...{ run_id, attempt, api_key_name, playbook_id, labels },
  created_at: created_at.toISOString(),
});

/** Every run of the pool that has a slot, oldest claim first. Their number is that of the slots. */
export async function readSessions(sql: Sql): Promise<Sessions> {
  const rows = await sql.query<Row>(
    `SELECT run_id, attempt, api_key_name, playbook_id, labels, created_at, status, node_id, claimed_at, started_at, last_event_id, stop_requested_at
     FROM understudy.runs WHERE (settled_at IS NULL OR finished_at IS NULL) AND status IN ('starting', 'running') ORDER BY claimed_at, run_id`,
    [],
  );
  const sessions = rows.map((row) => ({
    ...base(row),
    status: row.status,
    node_id: row.node_id,
    claimed_at: (row.claimed_at ?? row.created_at).toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    last_event_id: row.last_event_id,
    stop_requested: row.stop_requested_at !== null,
  }));
  return { sessions };
}

/** The head of the queue, in the order in which slots are given out. */
export async function readQueueHead(sql: Sql, now: Date, limit: number): Promise<Queue> {
  const rows = await sql.query<Row>(
    `SELECT run_id, attempt, api_key_name, playbook_id, labels, created_at, requeued_at, priority
     FROM understudy.runs r WHERE status = 'queued' ORDER BY ${QUEUE_ORDER} LIMIT $1`,
    [limit],
  );
  const { queued, oldestS } = await readQueue(sql, now);
  const waitingS = (row: Row) => Math.max(0, (now.getTime() - (row.requeued_at ?? row.created_at).getTime()) / 1000);
  const runs = rows.map((row, i) => ({ ...base(row), position: i + 1, priority: row.priority, waiting_s: waitingS(row) }));
  return { queued: Math.max(queued, runs.length), oldest_s: oldestS, runs };
}

export type NewAuditEntry = Omit<AuditEntry, "id" | "at" | "node_id">;

export async function writeAudit(sql: Sql, { node_id }: Pick<Owner, "node_id">, entry: NewAuditEntry): Promise<void> {
  const { key_name, action, target, request_id } = entry;
  await sql.query("INSERT INTO understudy.audit (at, key_name, action, target, node_id, request_id) VALUES ($1, $2, $3, $4, $5, $6)", [
    new Date(),
    key_name,
    action,
    target,
    node_id,
    request_id,
  ]);
}

export async function readAudit(sql: Sql, { before, limit }: { before?: number; limit: number }): Promise<AuditPage> {
  const rows = await sql.query<Omit<AuditEntry, "at"> & { at: Date }>(
    `SELECT id::int, at, key_name, action, target, node_id, request_id FROM understudy.audit
     WHERE $1::int IS NULL OR id < $1 ORDER BY id DESC LIMIT $2`,
    [before ?? null, limit],
  );
  const entries = rows.map((row) => ({ ...row, at: row.at.toISOString() }));
  return { entries, next_before: entries.length === limit ? (entries.at(-1)?.id ?? null) : null };
}

export async function forgetAudit(sql: Sql, before: Date): Promise<void> {
  await sql.query("DELETE FROM understudy.audit WHERE at < $1", [before]);
}
