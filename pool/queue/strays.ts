/** Claims whose commit we did not hear of: the store may count a run as ours that nobody here runs. */
import type { Owner } from "../store/fence.ts";
import { RUN_COLUMNS, type RunRow } from "../store/runs.ts";
import type { Store } from "../store/sql.ts";
import { type Claim, fenceOf } from "./claim.ts";

/** A server may still be committing after our connection to it broke. */
const IN_DOUBT_MS = 60_000;

/** Every claim has an id of its own; those that ended in an outage are looked for until they are found, or can no longer appear. */
export class Strays {
  readonly #store: Store;
  readonly #owner: Owner;
  #inDoubt: { claimId: string; until: number }[] = [];

  constructor(store: Store, owner: Owner) {
    this.#store = store;
    this.#owner = owner;
  }

  /** The claim with this id failed without an answer. */
  add(claimId: string): void {
    this.#inDoubt.push({ claimId, until: performance.now() + IN_DOUBT_MS });
  }

  get none(): boolean {
    return this.#inDoubt.length === 0;
  }

  /** A run that was claimed after all, or null. It is given out once. One look finds one: only where nothing is left to find, claims are given up. */
  async take(): Promise<Claim | null> {
    if (this.#inDoubt.length === 0) return null;
    const { node_id, boot_id } = this.#owner;
    const asked = performance.now();
    const [run] = await this.#store.query<RunRow & { claim_id: string }>(
      `SELECT ${RUN_COLUMNS}, claim_id FROM understudy.runs
       WHERE settled_at IS NULL AND node_id = $1 AND boot_id = $2 AND claim_id = ANY ($3::uuid[])
         AND status = 'starting' LIMIT 1`,
      [node_id, boot_id, this.#inDoubt.map(({ claimId }) => claimId)],
    );
    this.#inDoubt = this.#inDoubt.filter(({ claimId, until }) => (run ? claimId !== run.claim_id : until > asked));
    return run ? { run, fence: fenceOf(this.#owner, run) } : null;
  }
}
