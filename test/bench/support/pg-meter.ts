/** What a Postgres server has done: statements, processor time of all its processes, log written, room taken. */
import { readdirSync, readFileSync } from "node:fs";
import { Client } from "pg";
import { pause } from "../../../shared/deadline.ts";

/** Settings of a server that can be measured. As Debian has them, but for the number of connections. */
export const METERED = ["max_connections=1300", "shared_preload_libraries=pg_stat_statements", "pg_stat_statements.max=5000"];

export type Spent = {
  seconds: number;
  /** Of all the server's processes. */
  serverCpuMs: number;
  /** Of this process, which plays the nodes. */
  ownCpuMs: number;
  statements: { text: string; calls: number; ms: number; rows: number }[];
  calls: number;
  walBytes: number;
};
export type Meter = AsyncDisposable & {
  /** What was spent while this was done. */
  during(work: () => Promise<unknown>): Promise<Spent>;
  /** Connections of this database's clients, without the meter's own. */
  connections(): Promise<number>;
  /** Bytes of each table of ours with its indexes, and of the queue library's; how many rows were updated, and of these on their page, without a word in an index. */
  bytes(): Promise<{ table: string; bytes: number; updates: number; hot: number }[]>;
};

const TICK_MS = 10; // of /proc/<pid>/stat: USER_HZ is 100 on Linux

export async function openMeter(url: string, serverPid: number): Promise<Meter> {
  const client = new Client(url);
  await client.connect();
  await client.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
  const walBytes = async () => Number((await client.query("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS n")).rows[0].n);

  return {
    async during(work) {
      await client.query("SELECT pg_stat_statements_reset()");
      const [wal, cpuMs, own, at] = [await walBytes(), cpuOf(serverPid), process.cpuUsage(), performance.now()];
      await work();
      const spent = process.cpuUsage(own);
      const [seconds, serverCpuMs] = [(performance.now() - at) / 1000, cpuOf(serverPid) - cpuMs];
      const { rows } = await client.query(
        `SELECT query AS text, calls::int, total_exec_time AS ms, rows::int FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
         WHERE d.datname = current_database() AND query NOT LIKE '%pg_stat_statements%' AND query NOT LIKE '%pg_current_wal_lsn%' ORDER BY total_exec_time DESC`,
      );
      const calls = rows.reduce((sum, each) => sum + each.calls, 0);
      const ownCpuMs = (spent.user + spent.system) / 1000;
      return { seconds, serverCpuMs, ownCpuMs, statements: rows, calls, walBytes: (await walBytes()) - wal };
    },
    async connections() {
      const { rows } = await client.query(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'understudy%'",
      );
      return rows[0].n;
    },
    async bytes() {
      await client.query("VACUUM ANALYZE");
      const { rows } = await client.query(
        `SELECT relname AS table, pg_total_relation_size(relid)::float8 AS bytes, n_tup_upd::int AS updates, n_tup_hot_upd::int AS hot FROM pg_stat_user_tables
         WHERE schemaname LIKE 'understudy%' ORDER BY bytes DESC`,
      );
      return rows;
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}

/** User and system time of the server, its children, and those of them that have ended. */
function cpuOf(pid: number): number {
  const ended = statOf(pid);
  let ticks = ended.own + ended.waitedFor;
  for (const task of readdirSync(`/proc/${pid}/task`))
    for (const child of readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean))
      ticks += statOf(Number(child)).own;
  return ticks * TICK_MS;
}

function statOf(pid: number): { own: number; waitedFor: number } {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ").map(Number) ?? [];
    return { own: (fields[11] ?? 0) + (fields[12] ?? 0), waitedFor: (fields[13] ?? 0) + (fields[14] ?? 0) };
  } catch {
    return { own: 0, waitedFor: 0 }; // it has just ended, and is among those waited for
  }
}

/** Nothing but time. */
export const idleFor = (ms: number) => () => pause(ms);
