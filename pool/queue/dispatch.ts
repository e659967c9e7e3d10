/** Accepts a run: everything that makes it durable, in one transaction, before its 202. */
import { counted } from "../../shared/counted.ts";
import { pause } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { LimitsOfKeys } from "../../shared/key-limits.ts";
import type { ClockLimits, RunStatus } from "../../shared/run-status.ts";
import { type Idempotency, recall, rememberStatus, takeKey } from "../store/idempotency.ts";
import { insertRun } from "../store/insert-run.ts";
import { countQueued, type NewRun } from "../store/runs.ts";
import type { Sql, Store } from "../store/sql.ts";
import type { JobQueue } from "./boss.ts";
import { type Claim, type Claimant, claimHead, claimRun, fenceOf, HeadIsHeld } from "./claim.ts";
import { assertMayWait, assertWithinRate } from "./key-limits.ts";

/** Wakes nodes that wait for work. */
export const WORK_CHANNEL = "understudy_work";

export type DispatchDeps = {
  store: Store;
  queue: JobQueue;
  queueMax: number;
  /** Absent: a key may take all there is. */
  keyLimits?: LimitsOfKeys;
  clockLimits: ClockLimits;
};
export type CreateOptions = {
  /** A node with a free slot: it gets the head of the queue, which is this run when no other waits. */
  claimFor: Claimant | null;
  idempotency: Idempotency | null;
};
export type Created = {
  run_id: string;
  /** What the 202 says; the same again when the key was used before. */
  status: RunStatus;
  replayed: boolean;
  /** For the node's session. May be another run than the one that was created. */
  claim: Claim | null;
};

/** What a slot may take beyond the clocks: finalizing, and the delays of a busy machine. The job must not expire under its worker. */
const EXPIRY_SLACK_S = 300;
const RETRY_AFTER_S = 5;
const NO_LIMITS: LimitsOfKeys = new Map();
/** Serializes those that join the queue, so that its bound is exact. A claim needs no room in it. */
const QUEUE_LOCK = 7_064_002;

/**
 * Accepts a run.
 * @throws POOL_SATURATED when the queue is full; RATE_LIMITED when its key has its share; CONFLICT when the idempotency key came with another body.
 */
export async function createRun(deps: DispatchDeps, run: NewRun, options: CreateOptions): Promise<Created> {
  try {
    return await deps.store.transaction((tx) => accept(tx, deps, run, options));
  } catch (error) {
    // Somebody is just ending the head of the queue: not ours to wait for. The run is queued, and a worker comes for it.
    if (error instanceof HeadIsHeld) return deps.store.transaction((tx) => accept(tx, deps, run, { ...options, claimFor: null }));
    throw error;
  }
}

async function accept(tx: Sql, deps: DispatchDeps, run: NewRun, { claimFor, idempotency }: CreateOptions): Promise<Created> {
  const { run_id, api_key_name, request } = run;
  const keyLimits = deps.keyLimits ?? NO_LIMITS;
  const hoped = claimFor ? "starting" : "queued";
  if (idempotency && !(await takeKey(tx, api_key_name, idempotency, { run_id, status: hoped }))) {
    return { ...(await recall(tx, api_key_name, idempotency)), replayed: true, claim: null };
  }
  const at = new Date();
  await assertWithinRate(tx, keyLimits, api_key_name, at);
  if (claimFor === null) assertRoom(await countQueued(tx), deps.queueMax); // most that are refused are so here, at little cost
  const expireInSeconds = request.timeout_seconds + deps.clockLimits.start + EXPIRY_SLACK_S;
  await deps.queue.send(tx, { run_id, expireInSeconds, priority: request.priority, group: api_key_name });
  const job = claimFor && (await deps.queue.fetch(tx));
  const isOurs = job?.run_id === run_id; // the queue was empty: the run is born claimed
  const row = await insertRun(tx, run, deps.clockLimits, at, isOurs && claimFor ? { owner: claimFor, claimId: claimFor.claim_id } : null);
  if (isOurs && claimFor) return { run_id, status: row.status, replayed: false, claim: { run: row, fence: fenceOf(claimFor, row) } };

  const claim = job && claimFor && ((await claimRun(tx, deps.queue, claimFor, job)) ?? (await claimHead(tx, deps.queue, claimFor)));
  const status = claim?.run.run_id === run_id ? claim.run.status : row.status;
  if (status === "queued") await assertMayWait(tx, keyLimits, api_key_name);
  if (status === "queued") await tx.query(`SELECT pg_notify('${WORK_CHANNEL}', $1)`, [run_id]);
  if (idempotency && status !== hoped) await rememberStatus(tx, api_key_name, idempotency.key, status);
  if (!job) await assertJoins(tx, deps.queueMax); // no slot was free, or its key, and every other that waits, has all the slots that it may have
  return { run_id, status, replayed: false, claim };
}

/** The new run is among those that wait. Last of all that is done for it: until the commit nobody else joins. */
async function assertJoins(tx: Sql, queueMax: number): Promise<void> {
  await tx.query(`SELECT pg_advisory_xact_lock(${QUEUE_LOCK})`, []);
  assertRoom((await countQueued(tx)) - 1, queueMax);
}

function assertRoom(queued: number, queueMax: number): void {
  if (queued < queueMax) return;
  throw new AppError(
    "POOL_SATURATED",
    `The queue is full: ${counted(queued, "run")} ${queued === 1 ? "waits" : "wait"}. Try again later.`,
    {
      retryAfterS: RETRY_AFTER_S,
      details: { reason: "queue_full", queued },
    },
  );
}

/** The next run of the queue for this node, or null when nothing waits. */
export async function claimNext(deps: Pick<DispatchDeps, "store" | "queue">, owner: Claimant, signal?: AbortSignal): Promise<Claim | null> {
  for (;;) {
    try {
      return await deps.store.transaction((tx) => claimHead(tx, deps.queue, owner));
    } catch (error) {
      if (!(error instanceof HeadIsHeld)) throw error;
      await pause(10, signal); // it takes a transaction to end a queued run, no longer
    }
  }
}
