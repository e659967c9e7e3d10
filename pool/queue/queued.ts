/** How many runs wait, kept at hand: asked for too often to be read each time. */
import { pause } from "../../shared/deadline.ts";
import { countQueued } from "../store/runs.ts";
import type { Store } from "../store/sql.ts";

const EVERY_MS = 1_000;

/** `count` is at most a second old; while the store is away, as it was. */
export function watchQueued(store: Store): AsyncDisposable & { readonly count: number } {
  const closing = new AbortController();
  let count = 0;
  const looking = (async () => {
    while (!closing.signal.aborted) {
      count = await countQueued(store).catch(() => count); // the store is away: readiness says so
      await pause(EVERY_MS, closing.signal).catch(() => {}); // closing: the loop ends
    }
  })();
  return {
    get count() {
      return count;
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await looking;
    },
  };
}
