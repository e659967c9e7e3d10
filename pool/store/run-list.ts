/** `GET /runs`: a page of runs, newest first. */
import { validationFailed } from "../../shared/errors.ts";
import { isRunId } from "../../shared/ids.ts";
import type { ListRuns, RunPage } from "../../shared/run.ts";
import { toText } from "./json.ts";
import { QUEUE_ORDER, type RunSummaryRow, SUMMARY_COLUMNS } from "./runs.ts";
import type { Sql } from "./sql.ts";
import { toSummary } from "./to-run.ts";

/** `apiKeyName` null: everybody's runs. @throws VALIDATION_FAILED for a cursor that no page gave out. */
export async function listRuns(sql: Sql, query: ListRuns, apiKeyName: string | null): Promise<RunPage> {
  const after = query.cursor === undefined ? null : parseCursor(query.cursor);
  const label = parseLabel(query.label && toText(query.label));
  const rows = await sql.query<RunSummaryRow>(
    `SELECT ${SUMMARY_COLUMNS} FROM understudy.runs
     WHERE ($1::text IS NULL OR api_key_name = $1)
       AND ($2::text IS NULL OR status = $2)
       AND ($3::text IS NULL OR labels ? $3 AND ($4::text IS NULL OR labels ->> $3 = $4))
       AND ($5::timestamptz IS NULL OR (created_at, run_id) < ($5, $6::uuid))
     ORDER BY created_at DESC, run_id DESC LIMIT $7`,
    [apiKeyName, query.status ?? null, label.name, label.value, after?.created_at ?? null, after?.run_id ?? null, query.limit + 1],
  );
  const page = rows.slice(0, query.limit);
  const positions = page.some(({ status }) => status === "queued") ? await queuePositions(sql) : new Map<string, number>();
  return {
    runs: page.map((row) => toSummary(row, { queue_position: positions.get(row.run_id) ?? null })),
    next_cursor: rows.length > query.limit ? formatCursor(page.at(-1) as RunSummaryRow) : null,
  };
}

async function queuePositions(sql: Sql): Promise<Map<string, number>> {
  const rows = await sql.query<{ run_id: string }>(
    `SELECT run_id FROM understudy.runs r WHERE status = 'queued' ORDER BY ${QUEUE_ORDER}`,
    [],
  );
  return new Map(rows.map(({ run_id }, i) => [run_id, i + 1]));
}

/** `name=value`, or `name` for any value. */
function parseLabel(label: string | undefined): { name: string | null; value: string | null } {
  if (label === undefined) return { name: null, value: null };
  const at = label.indexOf("=");
  return at < 0 ? { name: label, value: null } : { name: label.slice(0, at), value: label.slice(at + 1) };
}

type Position = { created_at: Date; run_id: string };

const formatCursor = ({ created_at, run_id }: Position): string => btoa(`${created_at.getTime()}.${run_id}`).replaceAll("=", "");

function parseCursor(cursor: string): Position {
  const [, ms = "", run_id = ""] = /^(\d{1,15})\.(.{36})$/.exec(decode(cursor)) ?? [];
  if (ms === "" || !isRunId(run_id)) {
    throw validationFailed("The query", [{ path: "cursor", message: "Not a cursor: send the next_cursor of the page before" }]);
  }
  return { created_at: new Date(Number(ms)), run_id };
}

function decode(text: string): string {
  try {
    return atob(text);
  } catch {
    return ""; // no cursor, and told so by its parser
  }
}
