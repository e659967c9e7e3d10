/** When to launch the next spare: never beside a run that starts, on a busy machine only the one that the next run needs, not again and again when it fails. Pure. */

export type RefillState = {
  /** Milliseconds on one clock, as are the other times. */
  now: number;
  /** POOL_WARM */
  size: number;
  /** Spares that wait or are being launched. */
  spares: number;
  /** A spare is being launched. */
  isLaunching: boolean;
  /** Runs that wait for a browser at this moment. */
  startingRuns: number;
  busyRuns: number;
  slots: number;
  lastTakenAt: number;
  isMachineBusy: boolean;
  /** After a failed launch: not before. */
  retryAt: number;
};

/** After a run took its browser: its first steps have the machine to themselves. */
export const QUIET_MS = 1_000;
/** How often a busy machine is looked at again. */
const BUSY_LOOK_MS = 1_000;

/** Milliseconds until a spare may be launched: 0 now, null not before something else changes. */
export function waitBeforeRefill(state: RefillState): number | null {
  const { now, startingRuns, busyRuns, lastTakenAt, retryAt } = state;
  if (state.isLaunching || startingRuns > 0 || state.spares >= wanted(state)) return null;
  if (state.isMachineBusy && !isNeededNext(state)) return BUSY_LOOK_MS;
  const quietAt = busyRuns > 0 ? lastTakenAt + QUIET_MS : now;
  return Math.max(0, quietAt - now, retryAt - now);
}

/** A run that came now would wait for a whole launch: what the machine saves without a spare it only pays later, while that run waits. */
const isNeededNext = ({ spares, busyRuns, slots }: RefillState): boolean => spares === 0 && busyRuns < slots;

/** With every slot taken, one spare is enough for the next run: it starts when a slot is free, and no two are freed at once. */
const wanted = ({ size, busyRuns, slots }: RefillState): number => (busyRuns >= slots ? Math.min(size, 1) : size);

/** Load average per CPU above which the machine is busy, and below which it no longer is. The gap keeps it from flapping. */
const BUSY_ABOVE = 3;
const CALM_BELOW = 2;

export const isMachineBusy = (was: boolean, loadPerCpu: number): boolean => loadPerCpu > (was ? CALM_BELOW : BUSY_ABOVE);

/** 1 s, 2 s, 4 s, … 60 s. */
export const backoffMs = (failures: number): number => Math.min(60_000, 1_000 * 2 ** (failures - 1));
