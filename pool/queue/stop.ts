/** Stopping a run: a queued one ends at once, a claimed one is marked and its owner told. */
import { pause } from "../../shared/deadline.ts";
import type { AppError } from "../../shared/errors.ts";
import { isTerminal, type RunStatus } from "../../shared/run-status.ts";
import { stopRequested } from "../session/outcome.ts";
import type { Owner } from "../store/fence.ts";
import { noSuchRun, type RunRow } from "../store/runs.ts";
import type { Store } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";
import type { Attempt, JobQueue } from "./boss.ts";
import { endQueued, OPEN, ROW } from "./end-run.ts";

/** The payload is the id of the run that is to stop; whose it is, its row tells. */
export const STOP_CHANNEL = "understudy_stop";
const FLOOR_MS = 2_000;

/** The status after it, and whether it was this that ended the run (a queued one ends with `reason`): `starting` or `running` means that its owner knows, or will within seconds. @throws NOT_FOUND for an unknown run, or another key's. */
export async function stopRun(
  deps: { store: Store; queue: JobQueue },
  runId: string,
  apiKeyName: string | null = null,
  reason: AppError = stopRequested(),
): Promise<{ status: RunStatus; endedNow: boolean }> {
  return deps.store.transaction(async (tx) => {
    const [row] = await tx.query<RunRow>(
      `SELECT ${ROW} FROM understudy.runs WHERE run_id = $1 AND ($2::text IS NULL OR api_key_name = $2) FOR UPDATE`,
      [runId, apiKeyName],
    );
    if (!row) throw await noSuchRun(tx, runId, apiKeyName);
    if (isTerminal(row.status)) return { status: row.status, endedNow: false };
    if (row.status === "queued") {
      await endQueued(tx, deps.queue, row, "terminated", reason);
      return { status: "terminated", endedNow: true };
    }
    await tx.query("UPDATE understudy.runs SET stop_requested_at = coalesce(stop_requested_at, $2) WHERE run_id = $1", [runId, new Date()]);
    await tx.query(`SELECT pg_notify('${STOP_CHANNEL}', $1)`, [runId]);
    return { status: row.status, endedNow: false };
  });
}

type WatchOptions = {
  store: Store;
  owner: Owner;
  onStop: (runId: string) => void;
  /** What this node believes it has in hand. */
  inHand?: () => Attempt[];
  /** The run is over, or another's: this node was taken for lost while it was frozen or cut off. */
  onGone?: (attempt: Attempt) => void;
  log: Log;
  floorMs?: number;
};

/**
 * Calls `onStop` for each run of ours that is to stop, and `onGone` for each that is no longer ours: at once when told, else with the next look. It may be called
 * more than once for a run.
 */
export async function watchStops({ store, owner, onStop, log, floorMs = FLOOR_MS, ...more }: WatchOptions): Promise<AsyncDisposable> {
  const { inHand = () => [], onGone = () => {} } = more;
  const closing = new AbortController();
  const listening = await store.listen(STOP_CHANNEL, () => void look());
  async function look(): Promise<void> {
    try {
      const before = inHand(); // what is claimed from now on may not be in the answer
      const ours = await store.query<Attempt & { marked: boolean }>(
        `SELECT run_id, attempt, stop_requested_at IS NOT NULL AS marked FROM understudy.runs
         WHERE (${OPEN}) AND node_id = $1 AND boot_id = $2 AND status IN ('starting', 'running')`,
        [owner.node_id, owner.boot_id],
      );
      for (const { run_id, marked } of ours) if (marked) onStop(run_id);
      const open = new Map(ours.map(({ run_id, attempt }) => [run_id, attempt]));
      for (const each of before) if (open.get(each.run_id) !== each.attempt) onGone(each);
    } catch (error) {
      log.warn("Cannot look for runs that are to stop; trying again", { error });
    }
  }
  const looking = (async () => {
    while (!closing.signal.aborted) {
      await look();
      await pause(floorMs, closing.signal).catch(() => {}); // closing: the loop ends
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await listening[Symbol.asyncDispose]();
      await looking;
    },
  };
}
