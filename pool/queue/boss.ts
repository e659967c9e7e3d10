/** The queue library, wired to our store. A job is named by its run's id and holds nothing else; a run's attempt is the job's retry count + 1. */
import { type Db, PgBoss } from "pg-boss";
import { QUEUE_SCHEMA } from "../store/schema.ts";
import type { Sql, Store } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";

const QUEUE = "runs";
const HOUR_S = 3600;

export type Attempt = { run_id: string; attempt: number };

/** `group`: the key that posted it. */
export type NewJob = { run_id: string; expireInSeconds: number; priority: number; group: string | null };
/** How many jobs of a group may be at work at a time; a group's tier is its own name. */
export type GroupLimits = { default: number; tiers: Record<string, number> };

/** Serializes claims where groups have limits: two at a time would both count one too few. */
const GROUPS_LOCK = 7_064_004;

/** Every call joins the caller's transaction. Inside one, a call without it would wait for that transaction's end, for ever. */
export interface JobQueue extends AsyncDisposable {
  send(tx: Sql, job: NewJob): Promise<void>;
  /** Takes the head of the queue for the caller: the highest priority, the oldest of it, of a key that may have one more slot. */
  fetch(tx: Sql): Promise<Attempt | null>;
  /** Ends the job of this attempt. False when there is none: it was settled before, or is another attempt's by now. */
  settle(tx: Sql, attempt: Attempt): Promise<boolean>;
  /** Puts the job of this attempt back into the queue, for the next one. False as with `settle`. */
  retry(tx: Sql, attempt: Attempt): Promise<boolean>;
  /** Takes a job that waits out of the queue. */
  cancel(tx: Sql, runId: string): Promise<void>;
}

/** Creates what pg-boss needs in the store, and starts its upkeep. */
export async function openQueue(options: { store: Store; log: Log; groupLimits?: GroupLimits | null }): Promise<JobQueue> {
  const { store, log, groupLimits } = options;
  const embedded = store.kind === "embedded";
  const boss = new PgBoss({
    db: adapt(store),
    backend: embedded ? "pglite" : "postgres",
    schema: QUEUE_SCHEMA,
    createSchema: false,
    schedule: false,
    registerInstance: false, // our own table of nodes says more
    reindex: !embedded, // needs connections beside the one that works
    monitorVacuum: !embedded, // there is no autovacuum; pool/store/upkeep.ts does it
    openTelemetry: { enabled: false },
  });
  boss.on("error", (error) => log.warn("The queue's upkeep failed; it tries again", { error }));
  boss.on("warning", ({ message }) => log.debug(`Queue: ${message}`));
  await boss.start();
  const settings = { retryLimit: 0, retentionSeconds: 7 * 24 * HOUR_S, deleteAfterSeconds: HOUR_S };
  // Before the first transaction: pg-boss reads a queue that it does not know yet outside the transaction that it was given.
  await boss.createQueue(QUEUE, { policy: "standard", ...settings });
  await boss.getQueue(QUEUE);

  return {
    async send(tx, { run_id, expireInSeconds, priority, group }) {
      const grouped = group === null ? {} : { group: { id: group, tier: group } };
      await boss.send(QUEUE, null, { id: run_id, db: adapt(tx), expireInSeconds, priority, ...grouped });
    },
    async fetch(tx) {
      if (groupLimits) await tx.query(`SELECT pg_advisory_xact_lock(${GROUPS_LOCK})`, []);
      const [job] = await boss.fetch(QUEUE, { db: adapt(tx), ...(groupLimits && { groupConcurrency: groupLimits }) });
      return job ? { run_id: job.id, attempt: job.retryCount + 1 } : null;
    },
    async settle(tx, { run_id, attempt }) {
      const done = await boss.complete(QUEUE, { id: run_id, retryCount: attempt - 1 }, undefined, { db: adapt(tx) });
      return (done as { affected: number }).affected > 0; // documented, and missing from the type
    },
    async retry(tx, { run_id, attempt }) {
      const db = adapt(tx);
      const failed = await boss.fail(QUEUE, { id: run_id, retryCount: attempt - 1 }, undefined, { db });
      if ((failed as { affected: number }).affected === 0) return false;
      await boss.retry(QUEUE, run_id, { db }); // raises its limit by this one: the library never retries by itself
      return true;
    },
    async cancel(tx, runId) {
      await boss.cancel(QUEUE, runId, { db: adapt(tx) });
    },
    [Symbol.asyncDispose]: () => boss.stop({ graceful: false, close: false }),
  };
}

/** Not pg-boss's own adapter for PGlite: on any error that one rolls back the transaction which it was given, and what follows commits bit by bit. */
function adapt(sql: Sql): Db {
  return { executeSql: async (text, values) => ({ rows: await sql.query(text, values?.length ? values : undefined) }) };
}
