/** The house that the embedded store does not keep itself, and what any store should forget. */
import { pause } from "../../shared/deadline.ts";
import type { Log } from "../telemetry/log.ts";
import { forgetExpiredKeys } from "./idempotency.ts";
import { forgetLostNodes } from "./nodes.ts";
import { forgetDeleted } from "./runs.ts";
import { QUEUE_SCHEMA } from "./schema.ts";
import type { Store } from "./sql.ts";

const CHECKPOINT_MS = 60_000;
const VACUUM_MS = 300_000;
/** PGlite has no autovacuum. Only what changes much; the queue's tables are asked for, their names are pg-boss's own. */
const HOT_TABLES = `SELECT format('%I.%I', schemaname, relname) AS name FROM pg_stat_user_tables
  WHERE schemaname IN ('understudy', '${QUEUE_SCHEMA}') AND n_tup_upd + n_tup_del + n_tup_ins > 0`;

type Options = { store: Store; log: Log; checkpointMs?: number; vacuumMs?: number };

/** Works in the background; disposed, it cleans up once more (the store must still be open). */
export function startUpkeep({ store, log, checkpointMs = CHECKPOINT_MS, vacuumMs = VACUUM_MS }: Options): AsyncDisposable {
  const closing = new AbortController();
  const every = async (ms: number, work: () => Promise<void>) => {
    while (!closing.signal.aborted) {
      await pause(ms, closing.signal).catch(() => {}); // closing: the loop ends
      if (closing.signal.aborted) return;
      await work().catch((error: unknown) => log.warn("Upkeep of the store failed; it tries again", { error }));
    }
  };
  const loops = [
    every(vacuumMs, async () => {
      await forgetExpiredKeys(store);
      await forgetLostNodes(store);
      await forgetDeleted(store);
      await store.query("DELETE FROM understudy.key_posts WHERE at < now() - interval '1 hour'", []); // a key that posts no more sweeps none of its own
      if (store.kind === "embedded") await vacuum(store);
    }),
    ...(store.kind === "embedded" ? [every(checkpointMs, () => checkpoint(store))] : []),
  ];
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.all(loops);
      if (store.kind !== "embedded") return;
      await vacuum(store);
      await checkpoint(store);
    },
  };
}

/** Without it the log of PGlite grows for ever, and a start after a kill replays all of it. */
async function checkpoint(store: Store): Promise<void> {
  await store.query("CHECKPOINT");
}

/** A table at a time: runs go on in between. */
async function vacuum(store: Store): Promise<void> {
  for (const { name } of await store.query<{ name: string }>(HOT_TABLES, [])) await store.query(`VACUUM ANALYZE ${name}`);
}
