/** Takes the head of the queue for a node, inside a transaction. */
import type { Fence, Owner } from "../store/fence.ts";
import type { Claim } from "../store/runs.ts";
import type { Sql } from "../store/sql.ts";
import { changeStatus, statusEvents } from "../store/status-change.ts";
import type { Attempt, JobQueue } from "./boss.ts";

export type { Claim };

/** Somebody is just ending the run at the head of the queue. The transaction must be rolled back, and may be tried again at once. */
export class HeadIsHeld extends Error {
  override readonly name = "HeadIsHeld";
}

/** Who claims: `claim_id` is fresh for each try, so that a claim can be found again whose commit was not heard of. */
export type Claimant = Owner & { claim_id: string };

/** The claim, or null when nothing waits. @throws HeadIsHeld */
export async function claimHead(tx: Sql, queue: JobQueue, owner: Claimant): Promise<Claim | null> {
  for (;;) {
    const job = await queue.fetch(tx);
    if (!job) return null;
    const claim = await claimRun(tx, queue, owner, job);
    if (claim) return claim;
  }
}

/** The claim of the run whose job was fetched; null when the run is over or deleted, and the next of the queue is the head. @throws HeadIsHeld */
export async function claimRun(tx: Sql, queue: JobQueue, owner: Claimant, job: Attempt): Promise<Claim | null> {
  const at = new Date();
  const change = { run_id: job.run_id, from: "queued", to: "starting", at } as const;
  const events = statusEvents({ ...change, node_id: owner.node_id, attempt: job.attempt });
  const run = await changeStatus(tx, { ...change, events, claim: { owner, attempt: job.attempt, claimId: owner.claim_id } });
  if (run) return { fence: fenceOf(owner, run), run };
  const [row] = await tx.query("SELECT 1 FROM understudy.runs WHERE run_id = $1 AND status = 'queued'", [job.run_id]);
  if (row) throw new HeadIsHeld();
  await queue.settle(tx, job);
  return null;
}

export const fenceOf = ({ node_id, boot_id }: Owner, { run_id, attempt }: Attempt): Fence => ({ run_id, node_id, boot_id, attempt });
