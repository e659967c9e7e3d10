/** One statement that appends events of many runs. */
import type { NumberedEvent } from "../../shared/event.ts";
import type { RunStatus } from "../../shared/run-status.ts";
import { type Fence, holds } from "./fence.ts";
import type { Sql } from "./sql.ts";

/** What the writer knows of a run that it writes to. */
export type Head = { fence: Fence; status: RunStatus; last_event_id: number };
/** Events of one run, as JSON, to follow number `after`. */
export type Batch = { fence: Fence; after: number; events: string[] };

/** Appends each batch, in one statement, where its fence holds and `after` is the run's latest number. Says of each batch whether it was written. */
export async function insertEvents(sql: Sql, batches: readonly Batch[]): Promise<boolean[]> {
  const input = batches.map(({ fence, after, events }, batch) => {
    const head = JSON.stringify({ ...fence, batch, after, count: events.length });
    return `${head.slice(0, -1)},"events":[${events.join(",")}]}`;
  });
  const rows = await sql.query<{ batch: number }>("SELECT understudy.append_events($1::json) AS batch", [`[${input.join(",")}]`]);
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
