/** Ends the runs of nodes that are gone. */
import { pause } from "../../shared/deadline.ts";
import { AppError, toErrorDetail } from "../../shared/errors.ts";
import { isTerminal } from "../../shared/run-status.ts";
import type { Owner } from "../store/fence.ts";
import { BEAT_MS, LOST_AFTER_MS } from "../store/nodes.ts";
import { type RunRow, updateAftermath } from "../store/runs.ts";
import type { Store } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { JobQueue } from "./boss.ts";
import { endRun, OPEN, ROW } from "./end-run.ts";
import { tryAgain } from "./next-attempt.ts";
import { observePeers, type Peer, type Watch } from "./peers.ts";

type Deps = { store: Store; queue: JobQueue; owner: Owner; log: Log };

const nodeLost = (nodeId: string): AppError =>
  new AppError("NODE_LOST", `Node ${nodeId} died while it had the run`, { details: { node_id: nodeId } });

type EarlierOptions = { waiting?: ReadonlySet<string>; onEnded?: Metrics["runEnded"] };

/**
 * At start, before the first claim: what an earlier boot of this node had in hand ends as NODE_LOST. The embedded store has one node,
 * so there every other boot is an earlier one. Returns all runs of earlier boots that are open (not over, or not settled), these and others whose end was
 * already written: the caller salvages what is staged of them and then calls updateAftermath(run, { settled: true, recording_state }).
 * Leaves alone what is `waiting` to be told how it ended, or to be stored.
 */
export async function endRunsOfEarlierBoots(deps: Deps & EarlierOptions): Promise<string[]> {
  const { store, queue, owner, waiting, onEnded, log } = deps;
  const open = await store.query<RunRow>(
    `SELECT ${ROW}, boot_id FROM understudy.runs WHERE (${OPEN}) AND node_id IS NOT NULL AND boot_id <> $1
       AND (node_id = $2 OR $3) ORDER BY created_at`,
    [owner.boot_id, owner.node_id, store.kind === "embedded"],
  );
  const over: string[] = [];
  for (const row of open) {
    if (waiting?.has(row.run_id)) continue;
    const became = isTerminal(row.status)
      ? "ended"
      : await endLostRun({ store, queue }, row, { recording_state: "finalizing", settled: false });
    if (became !== "queued") over.push(row.run_id);
    if (became === "ended" && !isTerminal(row.status)) onEnded?.("failed", "NODE_LOST");
    if (!isTerminal(row.status)) log.warn("A run of an earlier start of this node is lost", { run_id: row.run_id, became });
  }
  return over;
}

/** `onLost` is told of each run that this node has ended. `isOnDuty`: few nodes watch a pool; each look reads the owners of all its runs. */
type WatchOptions = { isOnDuty?: () => boolean; onLost?: (runId: string) => void; everyMs?: number; lostAfterMs?: number };

/**
 * Watches the owners of open runs. One whose heartbeat stood still for 11 s, as this node has itself seen over an unbroken connection, is gone:
 * its open runs end, and what its ended runs had not stored yet is lost (until it comes back with its DATA_DIR: pool/recovery.ts). From then on whatever it
 * still writes is refused. Who comes on duty begins anew: what it saw before counts for nothing. With the embedded store there is nobody to watch.
 */
export function watchPeers({ store, queue, owner, isOnDuty = () => true, onLost, log, ...times }: Deps & WatchOptions): AsyncDisposable {
  const { everyMs = BEAT_MS, lostAfterMs = LOST_AFTER_MS } = times;
  const closing = new AbortController();
  let watch: Watch = { seenAt: null, peers: new Map() };

  async function look(): Promise<void> {
    const peers = await store.query<Peer>(
      `SELECT DISTINCT r.node_id, r.boot_id, n.last_seen_at::text AS beat FROM understudy.runs r
       LEFT JOIN understudy.nodes n ON n.node_id = r.node_id AND n.boot_id = r.boot_id
       WHERE (r.settled_at IS NULL OR r.finished_at IS NULL) AND r.node_id IS NOT NULL AND r.boot_id <> $1`,
      [owner.boot_id],
    );
    const [next, lost] = observePeers(watch, peers, performance.now(), { everyMs, lostAfterMs });
    watch = next;
    for (const peer of lost) await endRunsOf(peer);
  }

  async function endRunsOf(peer: Peer): Promise<void> {
    const rows = await store.query<RunRow>(
      `SELECT ${ROW}, boot_id FROM understudy.runs WHERE (${OPEN}) AND node_id = $1 AND boot_id = $2`,
      [peer.node_id, peer.boot_id],
    );
    log.warn("A node is lost, and its runs with it", { node_id: peer.node_id, runs: rows.map(({ run_id }) => run_id) });
    const left = { recording_state: "lost", settled: true } as const;
    for (const row of rows) {
      if (!isTerminal(row.status)) {
        if ((await endLostRun({ store, queue }, row, left)) === "ended") onLost?.(row.run_id);
      } else
        await updateAftermath(store, row.run_id, {
          settled: true,
          onlyUnsettled: true, // its node may have stored it since we looked
          ...(row.recording_state !== "off" && { recording_state: "lost" }),
        });
    }
  }

  const looking = (async () => {
    while (!closing.signal.aborted && store.kind === "server") {
      await pause(everyMs, closing.signal).catch(() => {}); // closing: the loop ends
      if (closing.signal.aborted) return;
      if (!isOnDuty()) watch = { seenAt: null, peers: new Map() };
      else await look().catch((error: unknown) => log.warn("Cannot look for lost nodes; trying again", { error }));
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await looking;
    },
  };
}

/** Ends it, or puts it back into the queue for its next attempt. `moved`: nothing was done, it was ended by its node after all, or by another that watches. */
async function endLostRun(
  { store, queue }: Pick<Deps, "store" | "queue">,
  seen: RunRow,
  left: { recording_state: "lost" | "finalizing"; settled: boolean },
): Promise<"ended" | "queued" | "moved"> {
  return store.transaction(async (tx) => {
    const [row] = await tx.query<RunRow>(
      `SELECT ${ROW} FROM understudy.runs WHERE run_id = $1 AND boot_id = $2 AND attempt = $3
         AND status IN ('starting', 'running') FOR UPDATE`,
      [seen.run_id, seen.boot_id, seen.attempt],
    );
    if (!row) return "moved";
    const error = nodeLost(seen.node_id ?? "?");
    if (await tryAgain(tx, queue, row.run_id, toErrorDetail(error))) return "queued";
    await endRun(tx, queue, row, { to: "failed", error, ...left });
    return "ended";
  });
}
