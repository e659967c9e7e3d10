/** How each step fares, counted in memory and added to the store now and then: no run waits for it, and none fails by it. */
import { createHash } from "node:crypto";
import type { Playbook } from "../../shared/playbook.ts";
import type { StepResult } from "../../shared/run.ts";
import { canonicalJson } from "../store/seal.ts";
import type { Sql } from "../store/sql.ts";
import { addStepCounts, type StepCount } from "../store/step-counts.ts";
import type { Log } from "../telemetry/log.ts";

const FLUSH_MS = 2_000;
/** What a store that stays away may cost in memory; what is over is not counted. */
const MAX_WAITING = 20_000;
/** Each bucket of durations reaches a quarter further than the one before. */
const GROWTH = 1.25;

/** `fallbacks`: of each action of the step which selector found its element, 0 for the primary. */
export type StepOutcome = Pick<StepResult, "index" | "success" | "attempts" | "recovery_used" | "duration_ms"> & {
  fallbacks: readonly number[];
};

export interface Ledger extends AsyncDisposable {
  count(playbook: Playbook, outcome: StepOutcome, at?: Date): void;
  /** Resolves when what was counted so far is in the store. @throws what kept it from there; it waits on */
  flush(): Promise<void>;
}

export function openLedger(store: Sql, log: Log, flushMs = FLUSH_MS): Ledger {
  let waiting = new Map<string, StepCount>();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let flushing = Promise.resolve();

  const add = (count: StepCount) => {
    const key = `${count.playbook_id} ${count.step_key} ${count.day} ${count.counter}`;
    const known = waiting.get(key);
    if (!known && waiting.size >= MAX_WAITING) return;
    const last_at = known && known.last_at > count.last_at ? known.last_at : count.last_at;
    waiting.set(key, { ...count, count: (known?.count ?? 0) + count.count, last_at });
  };
  const write = async () => {
    const taken = waiting;
    if (taken.size === 0) return;
    waiting = new Map();
    try {
      await addStepCounts(store, [...taken.values()]);
    } catch (error) {
      for (const each of taken.values()) add(each);
      throw error;
    }
  };
  const flush = () => {
    flushing = flushing.then(write, write);
    return flushing;
  };
  const schedule = () => {
    timer ??= setTimeout(() => {
      timer = null;
      flush().catch((error: unknown) => {
        log.warn("What is known of steps could not be stored; trying again", { error });
        schedule();
      });
    }, flushMs).unref();
  };

  return {
    count(playbook, outcome, at = new Date()) {
      const base = {
        playbook_id: playbook.id,
        step_key: stepKey(playbook, outcome.index),
        day: at.toISOString().slice(0, 10),
        last_at: at,
      };
      for (const [counter, count] of countersOf(outcome)) add({ ...base, counter, count });
      schedule();
    },
    flush,
    async [Symbol.asyncDispose]() {
      if (timer) clearTimeout(timer);
      await flush().catch((error: unknown) => log.warn("What is known of steps could not be stored", { error }));
    },
  };
}

/** The step as it is written; of several that are the same, which one. A step that is changed begins anew. */
export function stepKey({ steps }: Playbook, index: number): string {
  const written = steps.map((step) => canonicalJson(step));
  const nth = written.slice(0, index).filter((each) => each === written[index]).length;
  return createHash("sha256").update(`${nth} ${written[index]}`).digest("hex").slice(0, 24);
}

function countersOf({ success, attempts, recovery_used, duration_ms, fallbacks }: StepOutcome): Map<string, number> {
  const counters = new Map<string, number>([["runs", 1]]);
  const one = (name: string) => counters.set(name, (counters.get(name) ?? 0) + 1);
  one(success ? "passed" : "failed");
  for (const each of fallbacks) if (each > 0) one(`fallback:${each}`);
  if (!success) return counters;
  one(`bucket:${bucketOf(duration_ms)}`);
  if (recovery_used) one("repaired");
  else if (attempts > 1) one("retried");
  else if (fallbacks.every((each) => each === 0)) one("hit");
  return counters;
}

export const bucketOf = (ms: number): number => Math.max(0, Math.ceil(Math.log(Math.max(1, ms)) / Math.log(GROWTH)));
/** The longest duration in it. */
export const bucketEndMs = (bucket: number): number => Math.round(GROWTH ** bucket);
