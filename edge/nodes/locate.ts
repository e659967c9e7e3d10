/** Run → who owns it. Answers about live and stored runs are kept for a while, since they are found out to be wrong at the first use; about queued ones never. */
import type { Location } from "../../shared/node.ts";
import { firstAnswer } from "./first-answer.ts";
import type { Members } from "./members.ts";
import { type Asker, isNodeFailure } from "./node-client.ts";

export type LocateOptions = { asker: Asker; signal?: AbortSignal };

export type Locate = {
  /** @throws NOT_FOUND, POOL_UNREACHABLE, UPSTREAM_TIMEOUT */
  find(runId: string, options: LocateOptions): Promise<Location>;
  /** Asks the pool, whatever is kept. With `known`, waits up to `waitS` seconds for something else. */
  ask(runId: string, options: LocateOptions & { known?: Location; waitS?: number }): Promise<Location>;
  /** What is kept, or null. */
  kept(runId: string, asker: Asker): Location | null;
  drop(runId: string, asker: Asker): void;
};

export type LocateLimits = { keepMs?: number; maxKept?: number };

export function createLocate(members: Members, { keepMs = 30_000, maxKept = 10_000 }: LocateLimits = {}): Locate {
  const cache = new Map<string, { location: Location; atMs: number }>(); // oldest first
  const keyOf = (runId: string, { onlyOwn }: Asker) => `${onlyOwn ?? ""}:${runId}`; // one key's knowledge is not another's

  const kept: Locate["kept"] = (runId, asker) => {
    const hit = cache.get(keyOf(runId, asker));
    return hit && Date.now() - hit.atMs < keepMs ? hit.location : null;
  };
  const drop: Locate["drop"] = (runId, asker) => void cache.delete(keyOf(runId, asker));

  const ask: Locate["ask"] = async (runId, { asker, signal, known, waitS }) => {
    const location = await firstAnswer(members.storedTellers(), (node) => node.client.location(runId, { asker, signal, known, waitS }), {
      isFailure: isNodeFailure,
      signal,
    });
    drop(runId, asker);
    if (location.state !== "queued") {
      cache.set(keyOf(runId, asker), { location, atMs: Date.now() });
      if (cache.size > maxKept) cache.delete(cache.keys().next().value as string);
    }
    return location;
  };

  return { find: async (runId, options) => kept(runId, options.asker) ?? (await ask(runId, options)), ask, kept, drop };
}
