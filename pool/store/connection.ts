/** What both stores do over a connection of `pg`: statements, and transactions around them. */
import type { ClientBase, Pool, QueryResult } from "pg";
import type { Sql } from "./sql.ts";

/** Rows of all its statements, in order, and what the last of them was. */
type Answer<R> = { rows: R[]; command: string };
export type Ask = <R>(text: string, values: unknown[] | undefined) => Promise<Answer<R>>;

/** `name`: the statement stays parsed and planned under it. `query_timeout`: in ms. */
type Options = { name?: string; query_timeout?: number };

/** Without values it may be several statements. */
export async function send<R>(
  target: Pool | ClientBase,
  text: string,
  values: unknown[] | undefined,
  options: Options,
): Promise<Answer<R>> {
  const statement = { text, ...(values && { values }), ...options };
  const sent = (await target.query(statement as { text: string; values?: unknown[] })) as unknown as QueryResult | QueryResult[];
  const results = [sent].flat();
  return { rows: results.flatMap(({ rows }) => rows as R[]), command: results.at(-1)?.command ?? "" };
}

/** All of `work`, or none: where it throws, the caller rolls back. @throws what `work` throws, and when it went on after a statement that failed */
export async function beginAndCommit<T>(ask: Ask, work: (tx: Sql) => Promise<T>): Promise<T> {
  let isOver = false;
  const query = async <R>(text: string, values?: unknown[]) => {
    if (isOver) throw new Error("The transaction is over"); // it would run in the next one
    return (await ask<R>(text, values)).rows;
  };
  await ask("BEGIN", []);
  const result = await work({ query }).finally(() => {
    isOver = true;
  });
  const { command } = await ask("COMMIT", []);
  if (command === "ROLLBACK") throw new Error("The transaction was rolled back: a statement in it had failed"); // Postgres answers so then
  return result;
}
