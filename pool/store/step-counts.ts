/** The ledger's table: how often something has happened to a step on a day, and when last. */
import { toJson } from "./json.ts";
import type { Sql } from "./sql.ts";

/** `step_key`: the step as it is written. `day`: of UTC, as 2026-01-31. */
export type StepCount = { playbook_id: string; step_key: string; day: string; counter: string; count: number; last_at: Date };

/** Adds to what is there. In one order, whoever writes: two nodes never wait for each other. */
export async function addStepCounts(sql: Sql, counts: readonly StepCount[]): Promise<void> {
  await sql.query(
    `INSERT INTO understudy.step_counts AS c (playbook_id, step_key, day, counter, count, last_at)
     SELECT * FROM json_to_recordset($1::json) AS x (playbook_id text, step_key text, day date, counter text, count int, last_at timestamptz)
     ORDER BY 1, 2, 3, 4
     ON CONFLICT (playbook_id, step_key, day, counter) DO UPDATE SET count = c.count + excluded.count, last_at = greatest(c.last_at, excluded.last_at)`,
    [toJson(counts)],
  );
}

export type StepTotal = { step_key: string; counter: string; count: number; last_at: Date; since: string };
/** Over all days that are kept. */
export const readStepTotals = (sql: Sql, playbookId: string): Promise<StepTotal[]> =>
  sql.query<StepTotal>(
    `SELECT step_key, counter, sum(count)::int AS count, max(last_at) AS last_at, to_char(min(day), 'YYYY-MM-DD') AS since
     FROM understudy.step_counts WHERE playbook_id = $1 GROUP BY step_key, counter`,
    [playbookId],
  );

/** What is older than what is kept of runs. */
export async function forgetStepCounts(sql: Sql, before: Date): Promise<void> {
  await sql.query("DELETE FROM understudy.step_counts WHERE day < $1::date", [before.toISOString().slice(0, 10)]);
}
