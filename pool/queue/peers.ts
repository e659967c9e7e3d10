/** Judges which owners of runs are gone, from what this node has itself seen. */

/** An owner of open runs. `beat` changes while it lives; null when its boot is not in the table of nodes. */
export type Peer = { node_id: string; boot_id: string; beat: string | null };
export type Watch = { seenAt: number | null; peers: Map<string, { beat: string | null; since: number }> };

/** So many looks may be missed before what was seen earlier counts for nothing: we were cut off or frozen, and they may have lived all along. */
const MISSED_LOOKS = 3;

/**
 * Pure: `nowMs` is any steady clock. A peer is gone once it stood still for `lostAfterMs`. (A look at the advisory locks of nodes, which
 * tells of a death within milliseconds, would join here.)
 */
export function observePeers(
  watch: Watch,
  seen: readonly Peer[],
  nowMs: number,
  limits: { everyMs: number; lostAfterMs: number },
): [Watch, lost: Peer[]] {
  const broken = watch.seenAt === null || nowMs - watch.seenAt > limits.everyMs * MISSED_LOOKS;
  const before = broken ? new Map<string, never>() : watch.peers;
  const peers: Watch["peers"] = new Map();
  for (const { boot_id, beat } of seen) {
    const known = before.get(boot_id);
    peers.set(boot_id, known && known.beat === beat ? known : { beat, since: nowMs });
  }
  const lost = seen.filter(({ boot_id }) => nowMs - (peers.get(boot_id)?.since ?? nowMs) >= limits.lostAfterMs);
  return [{ seenAt: nowMs, peers }, lost];
}
