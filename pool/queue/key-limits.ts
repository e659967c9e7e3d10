/** What one API key may take of the pool, so that no key keeps the others from it. Held in the store: the same on every node, behind any edge. */
import { counted } from "../../shared/counted.ts";
import { AppError } from "../../shared/errors.ts";
import type { KeyLimits, LimitsOfKeys } from "../../shared/key-limits.ts";
import { countQueued } from "../store/runs.ts";
import type { Sql } from "../store/sql.ts";

const WINDOW_MS = 60_000;
const RETRY_AFTER_S = 5;
/** Serializes what one key posts, so that its bounds are exact. The second number is the hash of its name. */
const KEY_LOCK = 7_064_003;

/** A run without a key was posted at a node itself, by who has its token: nobody to be fair to. */
const limitsOf = (limits: LimitsOfKeys, name: string | null): KeyLimits =>
  name === null ? {} : (limits.get(name) ?? limits.get("*") ?? {});

/** How many runs of a key may have slots, in the words of the queue library: a group is a key, and its tier too. null: as many as there are. */
export function slotsOfKeys(limits: LimitsOfKeys): { default: number; tiers: Record<string, number> } | null {
  const tiers = Object.fromEntries([...limits].flatMap(([name, { running }]) => (name === "*" ? [] : [[name, running ?? UNLIMITED]])));
  const others = limits.get("*")?.running ?? UNLIMITED;
  return [others, ...Object.values(tiers)].every((each) => each === UNLIMITED) ? null : { default: others, tiers };
}

const UNLIMITED = 1_000_000;

/** May the key post one more run now? Then it counts as posted, whatever becomes of it once the transaction is through. Holds the key's lock until the transaction ends. @throws RATE_LIMITED */
export async function assertWithinRate(tx: Sql, limits: LimitsOfKeys, name: string | null, now: Date): Promise<void> {
  const { per_minute, queued } = limitsOf(limits, name);
  if (per_minute === undefined && queued === undefined) return;
  await tx.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [KEY_LOCK, name]);
  if (per_minute === undefined) return;
  const since = new Date(now.getTime() - WINDOW_MS);
  const posts = await tx.query<{ at: Date }>(
    "SELECT at FROM understudy.key_posts WHERE api_key_name = $1 AND at > $2 ORDER BY at DESC LIMIT $3",
    [name, since, per_minute],
  );
  const oldest = posts[per_minute - 1];
  if (!oldest) {
    await tx.query("DELETE FROM understudy.key_posts WHERE api_key_name = $1 AND at <= $2", [name, since]);
    await tx.query("INSERT INTO understudy.key_posts (api_key_name, at) VALUES ($1, $2)", [name, now]);
    return;
  }
  throw new AppError("RATE_LIMITED", `This key may post ${counted(per_minute, "run")} a minute. Try again later.`, {
    retryAfterS: Math.max(1, Math.ceil((oldest.at.getTime() - since.getTime()) / 1000)),
    details: { reason: "key_rate", per_minute },
  });
}

/** Do no more runs of the key wait than may, the new one among them? Call it with the key's lock held. @throws RATE_LIMITED */
export async function assertMayWait(tx: Sql, limits: LimitsOfKeys, name: string | null): Promise<void> {
  const { queued } = limitsOf(limits, name);
  if (queued === undefined || (await countQueued(tx, name)) <= queued) return;
  throw new AppError(
    "RATE_LIMITED",
    `${counted(queued, "run")} of this key ${queued === 1 ? "waits" : "wait"} already, as many as may. Try again later.`,
    {
      retryAfterS: RETRY_AFTER_S,
      details: { reason: "key_queue", queued },
    },
  );
}
