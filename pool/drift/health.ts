/** `GET /playbooks/{id}/health`: what the ledger knows of each step, as it is written now. */
import type { Playbook } from "../../shared/playbook.ts";
import type { PlaybookHealth } from "../../shared/proposal.ts";
import { listProposals } from "../store/proposals.ts";
import type { Sql } from "../store/sql.ts";
import { readStepTotals, type StepTotal } from "../store/step-counts.ts";
import { bucketEndMs, type Ledger, stepKey } from "./ledger.ts";

const P95 = 0.95;

/** What this node has counted up to now is in it, what others count within two seconds. */
export async function readHealth({ store, ledger }: { store: Sql; ledger: Ledger }, playbook: Playbook): Promise<PlaybookHealth> {
  await ledger.flush();
  const [totals, open] = [await readStepTotals(store, playbook.id), await listProposals(store, playbook.id, "open")];
  const steps = playbook.steps.map((_, index) => totals.filter(({ step_key }) => step_key === stepKey(playbook, index)));
  const first = steps
    .flat()
    .map(({ since }) => since)
    .toSorted()[0];
  return {
    playbook_id: playbook.id,
    since: first ?? null,
    open_proposals: open.length,
    steps: playbook.steps.map(({ action, description }, index) => ({
      index,
      action,
      description,
      ...stepHealth(steps[index] as StepTotal[]),
    })),
  };
}

function stepHealth(totals: readonly StepTotal[]) {
  const of = (name: string) => totals.find(({ counter }) => counter === name);
  const count = (name: string) => of(name)?.count ?? 0;
  const runs = count("runs");
  const numbered = (prefix: string) =>
    totals
      .filter(({ counter }) => counter.startsWith(prefix))
      .map((each) => ({ ...each, number: Number(each.counter.slice(prefix.length)) }))
      .toSorted((a, b) => a.number - b.number);
  return {
    runs,
    hit_rate: runs === 0 ? null : count("hit") / runs,
    passed: count("passed"),
    failed: count("failed"),
    retried: count("retried"),
    repaired: count("repaired"),
    fallbacks: numbered("fallback:").map(({ number, count: wins, last_at }) => ({
      fallback: number,
      wins,
      last_at: last_at.toISOString(),
    })),
    p95_ms: percentile(numbered("bucket:"), P95),
    last_verified_at: of("passed")?.last_at.toISOString() ?? null,
  };
}

/** Of a histogram: the end of the bucket that holds it. */
function percentile(buckets: readonly { number: number; count: number }[], share: number): number | null {
  const wanted = buckets.reduce((sum, { count }) => sum + count, 0) * share;
  let seen = 0;
  for (const { number, count } of buckets) {
    seen += count;
    if (seen >= wanted && count > 0) return bucketEndMs(number);
  }
  return null;
}
