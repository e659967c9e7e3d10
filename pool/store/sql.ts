/** What every part of the pool sees of the store: SQL, transactions, notifications. */

/** Runs SQL. Without values the text may hold several statements; the rows of all come back, in order. */
export type Sql = { query<R = Record<string, unknown>>(text: string, values?: unknown[]): Promise<R[]> };

/** The way to the store failed, not what was asked: trying again makes sense. What was under way may or may not have been committed. */
export class StoreOutage extends Error {
  override readonly name = "StoreOutage";
}

export interface Store extends Sql, AsyncDisposable {
  readonly kind: "embedded" | "server";
  /** All of `work`, or none. Inside it use `tx` alone: the embedded store has one connection, and waits for this very work to end. */
  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T>;
  /** An empty payload means that notifications may have been missed. */
  listen(channel: string, on: (payload: string) => void): Promise<AsyncDisposable>;
  /** Does it answer, now? */
  healthy(): Promise<boolean>;
}
