/** Counts for how long a question stays unanswered. Pure: no clock, no Chrome, so a test replays it as a list. */

/**
 * Counted in ticks of our own event loop, not by the clock: a node that was itself frozen or starved reads the answers that wait
 * for it before it counts another tick, and so blames nobody.
 */
export type Heartbeat = { state: "resting" | "asked" | "aided" | "lost"; ticks: number; mayAid: boolean };

export type HeartbeatLimits = {
  /** Ticks between an answer and the next question. */
  restTicks: number;
  /** Unanswered for so many ticks it hangs. */
  limitTicks: number;
  /** So long it has after first aid. */
  aidTicks: number;
};

export const HEARTBEAT_LIMITS: HeartbeatLimits = { restTicks: 2, limitTicks: 12, aidTicks: 3 };

/** A machine under load answers late: up to so many times the limit is allowed. */
const MAX_PATIENCE = 4;

/** How many times as long as on an idle machine an answer may take, by the load average per CPU. */
export const patience = (loadPerCpu: number): number => Math.min(MAX_PATIENCE, Math.max(1, loadPerCpu));

export const newHeartbeat = (mayAid: boolean): Heartbeat => ({ state: "resting", ticks: 0, mayAid });

/** One tick later: the next state, and what is to be done now. */
export function beat(heart: Heartbeat, limits: HeartbeatLimits): [Heartbeat, "ask" | "aid" | "give up" | null] {
  const ticks = heart.ticks + 1;
  if (heart.state === "resting") {
    return ticks >= limits.restTicks ? [{ ...heart, state: "asked", ticks: 0 }, "ask"] : [{ ...heart, ticks }, null];
  }
  if (heart.state === "asked" && ticks >= limits.limitTicks) {
    return heart.mayAid ? [{ state: "aided", ticks: 0, mayAid: false }, "aid"] : [{ ...heart, state: "lost" }, "give up"];
  }
  if (heart.state === "aided" && ticks >= limits.aidTicks) return [{ ...heart, state: "lost" }, "give up"];
  return [heart.state === "lost" ? heart : { ...heart, ticks }, null];
}

/** Any answer will do, an error too: what refuses, lives. */
export const answered = (heart: Heartbeat): Heartbeat => (heart.state === "lost" ? heart : { ...heart, state: "resting", ticks: 0 });
