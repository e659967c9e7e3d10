/** Where a run is: what an edge asks before it opens anything. */
import { formatKnown, type Location } from "../../shared/node.ts";
import { isTerminal } from "../../shared/run-status.ts";
import type { RunChanges } from "./changes.ts";
import type { RunSummaryRow } from "./runs.ts";
import type { Sql } from "./sql.ts";

type Located = Pick<RunSummaryRow, "run_id" | "status" | "node_id" | "node_url" | "settled_at">;

/** Pure. `live` from the claim until the artifacts are committed, or persist has failed. */
export function toLocation({ run_id, status, node_id, node_url, settled_at }: Located): Location {
  if (status === "queued") return { run_id, state: "queued", node_id: null, node_url: null };
  const state = isTerminal(status) && settled_at !== null ? "stored" : "live";
  return { run_id, state, node_id, node_url };
}

/** Null for an unknown run, and for another key's. */
export async function readLocation(sql: Sql, runId: string, apiKeyName: string | null = null): Promise<Location | null> {
  const [row] = await sql.query<Located>(
    `SELECT run_id, status, node_id, node_url, settled_at FROM understudy.runs
     WHERE run_id = $1 AND ($2::text IS NULL OR api_key_name = $2)`,
    [runId, apiKeyName],
  );
  return row ? toLocation(row) : null;
}

type Awaiting = { sql: Sql; changes: RunChanges; signal: AbortSignal; apiKeyName?: string | null };

/** The location once it differs from `known` (see formatKnown), or as it is after `waitS` seconds, or when the signal aborts. */
export async function awaitLocation(
  { sql, changes, signal, apiKeyName = null }: Awaiting,
  runId: string,
  known: string,
  waitS: number,
): Promise<Location | null> {
  const over = AbortSignal.any([signal, AbortSignal.timeout(waitS * 1000)]);
  for (;;) {
    const looked = new AbortController();
    const changed = changes.waitForChange(runId, AbortSignal.any([over, looked.signal])).catch(() => {}); // over: one last look
    const location = await readLocation(sql, runId, apiKeyName);
    if (location === null || over.aborted || formatKnown(location) !== known) {
      looked.abort();
      return location;
    }
    await changed;
  }
}
