/** Forgets runs, with all their artifacts, and what was learned of them, once they are older than the operator wants to keep them. */
import { pause } from "../shared/deadline.ts";
import { AppError } from "../shared/errors.ts";
import { forgetAudit } from "./store/admin.ts";
import { forgetProposals } from "./store/proposals.ts";
import { deleteRun, settledBefore } from "./store/runs.ts";
import type { Store } from "./store/sql.ts";
import { forgetStepCounts } from "./store/step-counts.ts";
import type { Log } from "./telemetry/log.ts";
import type { Volume } from "./volume/volume.ts";

const EVERY_MS = 3_600_000;
/** Who comes on duty need not wait for its hour. */
const DUTY_LOOK_MS = 60_000;
const DAY_MS = 86_400_000;
const AT_ONCE = 100;

type Deps = { store: Store; volume: Volume; retentionDays: number; log: Log };

/**
 * One sweep. Returns how many runs went. The artifacts go first: a row without artifacts can be swept again, the reverse is an orphan.
 * A run whose artifacts cannot be removed stays, and holds up no other; a volume that is away ends the sweep. Several nodes may sweep at the same time.
 */
export async function sweepOldRuns(deps: Deps, now: Date = new Date(), signal?: AbortSignal): Promise<number> {
  const { store, retentionDays } = deps;
  const before = new Date(now.getTime() - retentionDays * DAY_MS);
  await forgetAudit(store, before);
  const stuck: string[] = [];
  let swept = 0;
  for (;;) {
    const old = await settledBefore(store, before, AT_ONCE, stuck);
    let moved = 0;
    for (const runId of old) {
      if (signal?.aborted) return swept;
      const isRemoved = await removeArtifacts(deps, runId);
      if (!isRemoved) stuck.push(runId);
      const isGone = isRemoved && (await forget(store, runId));
      if (isGone) swept += 1;
      if (isGone || !isRemoved) moved += 1;
    }
    if (old.length < AT_ONCE || moved === 0) return swept;
  }
}

/** False when those of this run cannot be. @throws what the volume said when it is away */
async function removeArtifacts({ volume, log }: Deps, runId: string): Promise<boolean> {
  try {
    await volume.remove(runId);
    return true;
  } catch (error) {
    if (!(await volume.healthy())) throw error;
    log.warn("The artifacts of an old run could not be removed; trying again later", { run_id: runId, error });
    return false;
  }
}

/** False when another node, or a client, was faster. */
async function forget(store: Store, runId: string): Promise<boolean> {
  try {
    await deleteRun(store, runId);
    return true;
  } catch (error) {
    if (error instanceof AppError && (error.code === "NOT_FOUND" || error.code === "CONFLICT")) return false;
    throw error;
  }
}

/** Sweeps as soon as it is on duty, and every hour from then on. */
export function startRetention(deps: Deps & { isOnDuty?: () => boolean; lookMs?: number }): AsyncDisposable {
  const { isOnDuty = () => true, lookMs = DUTY_LOOK_MS } = deps;
  const closing = new AbortController();
  const sweeping = (async () => {
    for (let sweptAt = Number.NEGATIVE_INFINITY; !closing.signal.aborted; ) {
      if (isOnDuty() && performance.now() - sweptAt >= EVERY_MS) {
        await sweep(deps, closing.signal);
        sweptAt = performance.now();
      }
      await pause(lookMs, closing.signal).catch(() => {}); // closing: the loop ends
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await sweeping;
    },
  };
}

/** Never rejects. */
async function sweep(deps: Deps, signal: AbortSignal): Promise<void> {
  const { store, retentionDays, log } = deps;
  try {
    const swept = await sweepOldRuns(deps, new Date(), signal);
    if (swept > 0) log.info("Old runs are forgotten", { runs: swept, retention_days: retentionDays });
  } catch (error) {
    log.warn("Old runs could not be swept; trying again later", { error });
  }
  try {
    const before = new Date(Date.now() - retentionDays * DAY_MS);
    await forgetStepCounts(store, before);
    await forgetProposals(store, before);
  } catch (error) {
    log.warn("What was learned of old runs could not be forgotten; trying again later", { error });
  }
}
