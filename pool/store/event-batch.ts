/** One statement that appends events of many runs. */
import type { NumberedEvent } from "../../shared/event.ts";
import type { RunStatus } from "../../shared/run-status.ts";
import { type Fence, holds } from "./fence.ts";
import type { Sql } from "./sql.ts";

/** What the writer knows of a run that it writes to. */
export type Head = { fence: Fence; status: RunStatus; last_event_id: number };
/** Events of one run, as JSON, to follow number `after`. */
export type Batch = { fence: Fence; after: number; events: string[] };

/** Appends each batch, where its fence holds and `after` is the run's latest number. Says of each batch whether it was written. */
export async function insertEvents(sql: Sql, batches: readonly Batch[]): Promise<boolean[]> {
  const input = batches.map(({ fence, after, events }, batch) => {
    const head = JSON.stringify({ ...fence, batch, after, count: events.length });
    return `${head.slice(0, -1)},"events":[${events.join(",")}]}`;
  });
  const rows = await sql.query<{ batch: number }>(
    `WITH input AS (
       SELECT * FROM json_to_recordset($1::json)
         AS x (batch int, run_id uuid, node_id text, boot_id text, attempt int, after int, count int, events json)
     ), bumped AS (
       UPDATE understudy.runs r SET last_event_id = r.last_event_id + i.count FROM input i
       WHERE r.run_id = i.run_id AND r.node_id = i.node_id AND r.boot_id = i.boot_id AND r.attempt = i.attempt
         AND r.last_event_id = i.after AND r.status IN ('starting', 'running')
       RETURNING i.batch, r.run_id, i.after, i.events
     ), logged AS (
       INSERT INTO understudy.events (run_id, id, event)
       SELECT b.run_id, b.after + e.nth::int, e.event FROM bumped b, json_array_elements(b.events) WITH ORDINALITY AS e (event, nth)
     )
     SELECT batch FROM bumped`,
    [`[${input.join(",")}]`],
  );
  const written = new Set(rows.map(({ batch }) => batch));
  return batches.map((_, batch) => written.has(batch));
}

/** The run as it stands, or null when it is not this fence's. */
export async function readHead(sql: Sql, fence: Fence): Promise<Head | null> {
  const [row] = await sql.query<{ node_id: string; boot_id: string; attempt: number; status: RunStatus; last_event_id: number }>(
    "SELECT node_id, boot_id, attempt, status, last_event_id FROM understudy.runs WHERE run_id = $1",
    [fence.run_id],
  );
  return row && holds(fence, row) ? { fence, status: row.status, last_event_id: row.last_event_id } : null;
}

/** Stored events with a greater number, in order. */
export async function readEvents(sql: Sql, runId: string, afterId: number, limit: number): Promise<NumberedEvent[]> {
  return sql.query<NumberedEvent>("SELECT id, event FROM understudy.events WHERE run_id = $1 AND id > $2 ORDER BY id LIMIT $3", [
    runId,
    afterId,
    limit,
  ]);
}
