/** Tells who waits that a run has changed: its status, or where it is. */
import type { Store } from "./sql.ts";

export interface RunChanges extends AsyncDisposable {
  /** Resolves when the run's change is told, or after a second: look again then. Ask for it before you look, or a change in between is missed. */
  waitForChange(runId: string, signal: AbortSignal): Promise<void>;
}

/** Told on it, by id: a run's turn in the queue, its return there, and the end of one that was asked to stop. Of other changes who waits learns within a second. */
export const RUNS_CHANNEL = "understudy_runs";
/** Notifications can be lost with a connection, and not everything is told. */
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
