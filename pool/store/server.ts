/** The store on a Postgres server: a pool of connections, and one more that listens. */
import { Client, DatabaseError, Pool, type PoolClient } from "pg";
import { pause } from "../../shared/deadline.ts";
import type { Log } from "../telemetry/log.ts";
import { type Ask, beginAndCommit, send } from "./connection.ts";
import { type Sql, type Store, StoreOutage } from "./sql.ts";

/** A statement with values is one of ours, and small. Scripts are set-up and upkeep. A connection that was cut without a word ends here. */
const STATEMENT_LIMIT_MS = 15_000;
const SCRIPT_LIMIT_MS = 120_000;
const CONNECT_LIMIT_MS = 5_000;
const RELISTEN_MS = 500;
/** A node that freezes within a transaction holds its locks, of which some stop the whole pool; its kernel goes on answering for it. Then the server ends it. */
const IDLE_IN_TRANSACTION_LIMIT_MS = 5_000;

/** Answers of a server that is going away, not there yet, or full, or that has ended a transaction which stood still (SQLSTATE). Class 08 is a broken connection. */
const OUTAGE_STATES = new Set(["57P01", "57P02", "57P03", "53300", "25006", "25P03", "40001", "40P01"]);

export async function openServer(url: string, log: Log): Promise<Store> {
  const connection = {
    connectionString: url,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_LIMIT_MS,
  };
  const pool = new Pool({ ...connection, max: 10, application_name: "understudy" });
  pool.on("error", (error) => log.warn("An idle connection to Postgres broke", { error }));
  // Without a listener an error between two statements of a transaction would end the process; the next statement reports it.
  pool.on("connect", (client) => client.on("error", () => {}));
  const listener = createListener(connection, log);

  const store: Store = {
    kind: "server",
    query: async (text, values) => (await askOf(pool)<never>(text, values)).rows,
    transaction: (work) => transaction(pool, work),
    listen: listener.listen,
    healthy: () =>
      pool.query({ text: "SELECT 1", query_timeout: 2_000 } as { text: string }).then(
        () => true,
        () => false,
      ),
    async [Symbol.asyncDispose]() {
      await listener.close();
      await pool.end();
    },
  };
  try {
    await store.query("SELECT 1", []); // whatever is wrong with the address or the password is said at start
    return store;
  } catch (error) {
    await pool.end();
    throw error;
  }
}

const askOf =
  (target: Pool | PoolClient): Ask =>
  (text, values) =>
    send<never>(target, text, values, { query_timeout: values ? STATEMENT_LIMIT_MS : SCRIPT_LIMIT_MS }).catch((error: unknown) => {
      throw toOutage(error);
    });

/** What the server said stays as it is; what kept us from hearing it is an outage. */
function toOutage(error: unknown): unknown {
  const said = error instanceof DatabaseError ? (error.code ?? "") : null;
  if (said !== null && !OUTAGE_STATES.has(said) && !said.startsWith("08")) return error;
  return new StoreOutage("Postgres cannot be reached", { cause: error });
}

async function transaction<T>(pool: Pool, work: (tx: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw toOutage(error);
  });
  const ask = askOf(client);
  let broken: Error | undefined;
  try {
    return await beginAndCommit(ask, work);
  } catch (error) {
    if (error instanceof StoreOutage) broken = error;
    else await ask("ROLLBACK", []).catch((cause: Error) => (broken = cause)); // closing the connection rolls back too
    throw error;
  } finally {
    client.release(broken);
  }
}

/** One connection for every channel. When it breaks it is opened again, and each listener told that it may have missed something. */
function createListener(connection: ConstructorParameters<typeof Client>[0] & object, log: Log) {
  const channels = new Map<string, Set<(payload: string) => void>>();
  const closed = new AbortController();
  let client: Promise<Client> | null = null;

  async function connect(): Promise<Client> {
    const fresh = new Client({ ...connection, application_name: "understudy-listen" });
    fresh.on("error", () => {}); // "end" follows
    fresh.on("notification", ({ channel, payload }) => tell(channel, payload ?? ""));
    await fresh.connect();
    try {
      for (const channel of channels.keys()) await fresh.query(`LISTEN ${channel}`);
    } catch (error) {
      void fresh.end().catch(() => {}); // not waited for: what broke may never answer
      throw error;
    }
    fresh.on("end", () => void reconnect());
    return fresh;
  }
  async function reconnect(): Promise<void> {
    while (!closed.signal.aborted) {
      try {
        client = connect();
        await client;
        for (const channel of channels.keys()) tell(channel, "");
        return;
      } catch (error) {
        log.warn("Cannot listen to Postgres; trying again", { error });
        await pause(RELISTEN_MS, closed.signal).catch(() => {}); // closed: the loop ends
      }
    }
  }
  function tell(channel: string, payload: string): void {
    for (const on of channels.get(channel) ?? []) on(payload);
  }

  /** What could not be listened to must not keep the next connection from the other channels. */
  function leave(channel: string, on: (payload: string) => void): void {
    const all = channels.get(channel);
    all?.delete(on);
    if (all?.size === 0) channels.delete(channel);
  }

  return {
    async listen(channel: string, on: (payload: string) => void): Promise<AsyncDisposable> {
      const known = channels.get(channel);
      if (known) known.add(on);
      else channels.set(channel, new Set([on]));
      try {
        if (client === null) {
          client = connect();
          client.catch(() => (client = null)); // the caller hears of it; the next to listen tries again
          await client;
        } else if (!known) {
          await (await client).query(`LISTEN ${channel}`);
        }
      } catch (error) {
        leave(channel, on);
        throw error;
      }
      // Left, the connection goes on listening: channels are few and never made anew.
      return { [Symbol.asyncDispose]: async () => void channels.get(channel)?.delete(on) };
    },
    async close(): Promise<void> {
      closed.abort();
      const open = await client?.catch(() => null);
      await open?.end();
    },
  };
}
