/** Tells who waits that a run has changed: its status, or where it is. */
import type { Store } from "./sql.ts";

export interface RunChanges extends AsyncDisposable {
  /** Resolves at the run's next change, or after a second: look again then. Ask for it before you look, or a change in between is missed. */
  waitForChange(runId: string, signal: AbortSignal): Promise<void>;
}

/** The channel that every change of a run's status or place is told on; the payload is its id. */
export const RUNS_CHANNEL = "understudy_runs";
/** Notifications can be lost with a connection. */
const FLOOR_MS = 1_000;

export async function watchRuns(store: Store, floorMs = FLOOR_MS): Promise<RunChanges> {
  const waiting = new Map<string, Set<() => void>>();
  const wake = (runId: string) => {
    for (const done of waiting.get(runId) ?? []) done();
  };
  const listening = await store.listen(RUNS_CHANNEL, (runId) => {
    if (runId === "") for (const each of [...waiting.keys()]) wake(each);
    else wake(runId);
  });
  return {
    waitForChange: (runId, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const all = waiting.get(runId) ?? new Set();
        const leave = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", onAbort);
          all.delete(done);
          if (all.size === 0 && waiting.get(runId) === all) waiting.delete(runId);
        };
        const done = () => {
          leave();
          resolve();
        };
        const onAbort = () => {
          leave();
          reject(signal.reason);
        };
        const timer = setTimeout(done, floorMs);
        signal.addEventListener("abort", onAbort, { once: true });
        waiting.set(runId, all.add(done));
      }),
    async [Symbol.asyncDispose]() {
      await listening[Symbol.asyncDispose]();
      for (const runId of [...waiting.keys()]) wake(runId);
    },
  };
}
