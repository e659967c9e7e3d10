/** The clock of runs that wait: whoever waits longer than its limit ends as `timeout`, also when no node runs anything. */
import { pause } from "../../shared/deadline.ts";
import { clockError } from "../session/clocks.ts";
import type { RunRow } from "../store/runs.ts";
import type { Store } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";
import type { JobQueue } from "./boss.ts";
import { endQueued, ROW } from "./end-run.ts";

const EVERY_MS = 1_000;
const AT_ONCE = 50;

type Deps = { store: Store; queue: JobQueue };

/** Ends queued runs that are older than their own limit. Returns which. Any number of nodes may do so at the same time. */
export async function endOverdueRuns({ store, queue }: Deps, now: Date = new Date()): Promise<string[]> {
  const ended: string[] = [];
  for (;;) {
    const some = await store.transaction(async (tx) => {
      const rows = await tx.query<RunRow>(
        `SELECT ${ROW}, clock_limits FROM understudy.runs
         WHERE status = 'queued' AND coalesce(requeued_at, created_at) + (clock_limits ->> 'queue')::float8 * interval '1 second' <= $1
         ORDER BY created_at LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED`, // locked: being claimed or ended by another
        [now],
      );
      for (const row of rows) await endQueued(tx, queue, row, "timeout", clockError("queue", row.clock_limits.queue));
      return rows.map(({ run_id }) => run_id);
    });
    ended.push(...some);
    if (some.length < AT_ONCE) return ended;
  }
}

type WatchOptions = Deps & { log: Log; isOnDuty?: () => boolean; onEnded?: (runId: string) => void; everyMs?: number };

/** Looks every second, while on duty. */
export function watchQueueClock({ isOnDuty = () => true, ...deps }: WatchOptions): AsyncDisposable {
  const closing = new AbortController();
  const looking = (async () => {
    while (!closing.signal.aborted) {
      await pause(deps.everyMs ?? EVERY_MS, closing.signal).catch(() => {}); // closing: the loop ends
      if (closing.signal.aborted) return;
      if (!isOnDuty()) continue;
      try {
        const ended = await endOverdueRuns(deps);
        for (const runId of ended) deps.onEnded?.(runId);
        if (ended.length > 0) deps.log.warn("Runs waited longer than the queue allows", { runs: ended });
      } catch (error) {
        deps.log.warn("Cannot look for runs that waited too long; trying again", { error });
      }
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await looking;
    },
  };
}
