/** The clocks of one run: each counts in its phase, and the one that fires ends the run with its name. */
import { AppError } from "../../shared/errors.ts";
import type { Clocks } from "../../shared/run.ts";
import type { ClockLimits, ClockName } from "../../shared/run-status.ts";
import type { RunRow } from "../store/runs.ts";

export type RunClocks = {
  /** `starting` has begun: the start clock runs. */
  starting(): void;
  /** `running` has begun: idle and total run. */
  running(): void;
  /** Something happened: the idle clock begins anew. */
  touch(): void;
  /** Holds the idle clock while a model is asked; call the result when it has answered. */
  hold(): () => void;
  /** Stops them all; what they counted stays readable. */
  stop(): void;
  read(): Clocks;
};

type Options = { limits: ClockLimits; totalS: number; queuedS: number; onFire: (error: AppError) => void };

const MEANING: Record<ClockName, string> = {
  queue: "waited for a slot",
  start: "took to start",
  idle: "did nothing",
  total: "ran",
};

/** The error of a run that a clock ended. */
export const clockError = (clock: ClockName, limitS: number): AppError =>
  new AppError("TIMEOUT", `The run ${MEANING[clock]} for longer than its ${limitS} s (clock "${clock}")`, {
    details: { clock, limit_s: limitS },
  });

/** How long a claimed run has waited for this attempt, in seconds. */
export function queuedSeconds({ created_at, requeued_at, claimed_at }: Pick<RunRow, "created_at" | "requeued_at" | "claimed_at">): number {
  const since = requeued_at ?? created_at;
  return Math.max(0, ((claimed_at ?? since).getTime() - since.getTime()) / 1000);
}

/** `queuedS`: seconds the run has already waited in the queue. */
export function createClocks({ limits, totalS, queuedS, onFire }: Options): RunClocks {
  const started: Partial<Record<ClockName, number>> = {};
  const counted: Partial<Record<ClockName, number>> = { queue: queuedS };
  const timers = new Map<ClockName, NodeJS.Timeout>();
  const limitS: Record<ClockName, number> = { ...limits, total: totalS };
  let holds = 0;
  let stopped = false;

  const start = (clock: ClockName) => {
    if (stopped) return;
    started[clock] = performance.now();
    clearTimeout(timers.get(clock));
    timers.set(
      clock,
      setTimeout(() => onFire(clockError(clock, limitS[clock])), limitS[clock] * 1000),
    );
  };
  const end = (clock: ClockName) => {
    clearTimeout(timers.get(clock));
    timers.delete(clock);
    if (started[clock] !== undefined) counted[clock] = usedS(clock);
    delete started[clock];
  };
  const usedS = (clock: ClockName): number => {
    const since = started[clock];
    return since === undefined ? (counted[clock] ?? 0) : (performance.now() - since) / 1000;
  };
  const read = (clock: ClockName) => ({ limit_s: limitS[clock], used_s: Math.round(usedS(clock) * 1000) / 1000 });

  return {
    starting: () => start("start"),
    running: () => {
      end("start");
      start("total");
      start("idle");
    },
    touch: () => {
      if (started.idle !== undefined && holds === 0) start("idle");
    },
    hold: () => {
      holds += 1;
      end("idle");
      let released = false;
      return () => {
        if (released) return;
        released = true;
        holds -= 1;
        if (holds === 0 && started.total !== undefined) start("idle");
      };
    },
    stop: () => {
      for (const clock of [...timers.keys()]) end(clock);
      stopped = true;
    },
    read: () => ({ queue: read("queue"), start: read("start"), idle: read("idle"), total: read("total") }),
  };
}
