/** The pool's members: each node tells every 2 s that it lives, and learns whether it is still itself. */
import { pause, withDeadline } from "../../shared/deadline.ts";
import type { Member, NodeInfo } from "../../shared/node.ts";
import type { Log } from "../telemetry/log.ts";
import { toJson } from "./json.ts";
import type { Sql, Store } from "./sql.ts";

export const BEAT_MS = 2_000;
/** What takes longer hangs; it counts all the same, should it arrive. Two that hang and a third that does not fit into the time after which a node is lost. */
const BEAT_LIMIT_MS = 1_500;
/**
 * A member that was not heard of for so long is lost. Its runs are over 15 s after its death at the latest: its last heartbeat is seen one
 * look late, and its silence another.
 */
export const LOST_AFTER_MS = 15_000 - 2 * BEAT_MS;
/** Dead members stay in the list for a while. */
const REMEMBERED = "1 hour";
/** So many members do what needs doing once a pool, not once a node: more than die at once, few enough for the server not to notice them. */
const ON_DUTY = 5;
/** Over two beats: who was not heard of for so long is off duty, and the next in line is on. */
const SILENT = "5 seconds";
/** How many are in line before this node; counting ends where it makes no difference. */
const IN_LINE = `(SELECT count(*)::int FROM (
  SELECT 1 FROM understudy.nodes m WHERE m.node_id < $1 AND m.last_seen_at > now() - interval '${SILENT}' LIMIT ${ON_DUTY}) before)`;

export interface Membership extends AsyncDisposable {
  /** Tells the pool of a new state now, not at the next beat. */
  beat(): Promise<void>;
  /** Is this one of the few nodes that look after the whole pool? As the latest two beats have it: for a moment there may be one too many, or too few. */
  isOnDuty(): boolean;
}

type Options = {
  store: Store;
  /** As `GET /node` answers; holds node_id and boot_id. */
  info: () => NodeInfo;
  /** Called once, when another boot of this node is in the table: our runs are no longer ours. */
  onFenced: () => void;
  log: Log;
  beatMs?: number;
};

/** Enters this boot of the node in the table, in place of an earlier one, and keeps it there. Disposed, it leaves the pool. */
export async function joinNodes({ store, info, onFenced, log, beatMs = BEAT_MS }: Options): Promise<Membership> {
  const { node_id, boot_id } = info();
  const closing = new AbortController();
  let fenced = false;

  const [joined] = await store.query<{ in_line: number }>(
    `INSERT INTO understudy.nodes (node_id, boot_id, info, last_seen_at) VALUES ($1, $2, $3::json, now())
     ON CONFLICT (node_id) DO UPDATE SET boot_id = $2, info = $3::json, last_seen_at = now() RETURNING ${IN_LINE} AS in_line`,
    [node_id, boot_id, toJson(info())],
  );
  /** As this beat has it, and the one before: after a standstill of the store all others look silent, but for one beat only. */
  let inLine = joined?.in_line ?? 0;
  let wasInLine = inLine;

  async function beat(): Promise<void> {
    if (fenced || closing.signal.aborted) return;
    // The row may be gone (forgotten while we were cut off): then it is made again. Another boot's row stays as it is.
    const [row] = await store.query<{ in_line: number }>(
      `INSERT INTO understudy.nodes AS n (node_id, boot_id, info, last_seen_at) VALUES ($1, $2, $3::json, now())
       ON CONFLICT (node_id) DO UPDATE SET info = $3::json, last_seen_at = now() WHERE n.boot_id = $2 RETURNING ${IN_LINE} AS in_line`,
      [node_id, boot_id, toJson(info())],
    );
    if (row) [wasInLine, inLine] = [inLine, row.in_line];
    if (row || fenced) return;
    fenced = true;
    log.error("Another process took this node's place in the pool; its runs are no longer ours", { node_id, boot_id });
    onFenced();
  }

  const beating = (async () => {
    while (!closing.signal.aborted && !fenced) {
      await pause(beatMs, closing.signal).catch(() => {}); // closing: the loop ends
      // One that hangs on a connection that was cut without a word must not cost the node its life: the next goes over another.
      await withDeadline(BEAT_LIMIT_MS, beat).catch((error: unknown) => log.warn("Cannot tell the pool that this node lives", { error }));
    }
  })();

  return {
    beat,
    isOnDuty: () => !fenced && Math.max(inLine, wasInLine) < ON_DUTY,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await beating;
      await store
        .query("DELETE FROM understudy.nodes WHERE node_id = $1 AND boot_id = $2", [node_id, boot_id])
        .catch((error: unknown) => log.warn("Cannot leave the pool; it will take this node for lost", { error }));
    },
  };
}

/** All members, as last heard of. Whether one is lost is judged by the store's clock alone. */
export async function listNodes(sql: Sql): Promise<Member[]> {
  const rows = await sql.query<{ info: NodeInfo; last_seen_at: Date; silent_ms: number }>(
    `SELECT info, last_seen_at, (extract(epoch FROM now() - last_seen_at) * 1000)::float8 AS silent_ms
     FROM understudy.nodes ORDER BY node_id`,
    [],
  );
  return rows.map(({ info, last_seen_at, silent_ms }) => ({
    ...info,
    state: silent_ms > LOST_AFTER_MS ? "lost" : info.state,
    last_seen_at: last_seen_at.toISOString(),
  }));
}

export async function forgetLostNodes(sql: Sql): Promise<void> {
  await sql.query(`DELETE FROM understudy.nodes WHERE last_seen_at < now() - interval '${REMEMBERED}'`, []);
}
