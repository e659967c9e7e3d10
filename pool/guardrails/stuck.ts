/**
 * Does a run repeat itself without getting on? Pure: no clock, no page, so a test replays a run as a list. Looked at after each action, in this
 * order, the first that finds something wins: a cluster of failures, the same action over and over, a cycle of actions, a URL gone to again.
 */
import type { Action } from "../../shared/action.ts";
import type { Guardrails, Verdict } from "../../shared/guardrails.ts";

/** One action, or one sequence, with what came of it. `urls`: those it went to. `granted`: its author wrote it, so that repeating it is meant. */
export type Attempted = { fingerprint: string; urls: readonly string[]; success: boolean; granted: boolean };

export type StuckState = {
  /** Fingerprints, the latest last, as many as the window holds. */
  window: readonly string[];
  /** Did the latest actions succeed? As many as the failure window holds. */
  outcomes: readonly boolean[];
  /** URL → the number of the action that went there first: the longest way back is what counts. */
  visits: ReadonlyMap<string, number>;
  /** Actions so far. */
  count: number;
  /** How stuck: one more with each finding, one less with each action that has none. */
  level: number;
};
export const NOT_STUCK: StuckState = { window: [], outcomes: [], visits: new Map(), count: 0, level: 0 };

type Limits = Guardrails;

/** What makes two actions the same: what is done, and to what. Not what is typed, nor whether it worked. */
export function fingerprint({ action, selector, params }: Action): string {
  const on = selector ? ` ${selector.primary.toLowerCase()}` : "";
  switch (action) {
    case "goto":
      return `goto ${params.url.toLowerCase()}`;
    case "key_press":
      return `key_press${on}${params.text === undefined && params.credential_ref === undefined ? "" : " text"}${params.key ? ` ${params.key}` : ""}`;
    case "evaluate":
      return `evaluate ${params.expression}`;
    default:
      return action + on;
  }
}

export function judgeStuck(state: StuckState, done: Attempted, limits: Limits): { state: StuckState; verdict: Verdict | null } {
  const next: StuckState = {
    window: [...state.window, done.fingerprint].slice(-limits.stuck_window_size),
    outcomes: [...state.outcomes, done.success].slice(-limits.stuck_failure_cluster_window),
    visits: done.success && done.urls.length > 0 ? withVisits(state, done.urls) : state.visits,
    count: state.count + 1,
    level: state.level,
  };
  const found = failureCluster(next, limits) ?? (done.granted ? null : repeats(state, next, done, limits));
  return { state: { ...next, level: found ? state.level + 1 : Math.max(0, state.level - 1) }, verdict: found };
}

function repeats(before: StuckState, now: StuckState, done: Attempted, limits: Limits): Verdict | null {
  if (now.window.length < Math.min(limits.stuck_repeat_hint, 2 * limits.stuck_cycle_repeats)) return null;
  return repetition(now, limits) ?? cycle(now, limits) ?? revisit(before, done, limits);
}

/** However stuck the run already is: a hint the first time, then a warning, then the end. */
const escalated = (level: number): "hint" | "warning" | "stop" => (level === 0 ? "hint" : level === 1 ? "warning" : "stop");

function failureCluster({ outcomes, level }: StuckState, limits: Limits): Verdict | null {
  if (outcomes.length < limits.stuck_failure_cluster_window) return null;
  const failures = outcomes.filter((success) => !success).length;
  if (failures < limits.stuck_failure_cluster_threshold) return null;
  return { kind: escalated(level), rule: "stuck_failures", reason: `${failures} of the last ${outcomes.length} actions failed` };
}

/** By the length of the row alone, at the tail and unbroken. */
function repetition({ window }: StuckState, limits: Limits): Verdict | null {
  const latest = window.at(-1);
  const row = window.length - 1 - window.findLastIndex((each) => each !== latest);
  const { stuck_repeat_hint: hint, stuck_repeat_warn: warn, stuck_repeat_stop: stop } = limits;
  if (row < hint) return null;
  return {
    kind: row >= stop ? "stop" : row >= warn ? "warning" : "hint",
    rule: "stuck_repeat",
    reason: `The same action ${row} times in a row`,
  };
}

/** The shortest group of actions that stands often enough at the tail. One action alone is no group: that is repetition. */
function cycle({ window, level }: StuckState, limits: Limits): Verdict | null {
  for (let length = 2; length <= limits.stuck_cycle_max_length; length += 1) {
    const span = length * limits.stuck_cycle_repeats;
    if (window.length < span) return null;
    const tail = window.slice(-span);
    if (!tail.every((each, i) => each === tail[i % length]) || tail.every((each) => each === tail[0])) continue;
    const reason = `The same ${length} actions ${limits.stuck_cycle_repeats} times in a row`;
    return { kind: escalated(level), rule: "stuck_cycle", reason };
  }
  return null;
}

/** Going back may be right, so it never ends a run. */
function revisit({ visits, count, level }: StuckState, { urls, success }: Attempted, { stuck_revisit_gap }: Limits): Verdict | null {
  if (!success) return null;
  const gaps = urls.flatMap((url) => (visits.has(url) ? [count - (visits.get(url) as number)] : []));
  const gap = Math.max(0, ...gaps);
  if (gap < stuck_revisit_gap) return null;
  return { kind: level >= 2 ? "warning" : "hint", rule: "stuck_revisit", reason: `Back at a URL of ${gap} actions before` };
}

function withVisits({ visits, count }: StuckState, urls: readonly string[]): ReadonlyMap<string, number> {
  const next = new Map(visits);
  for (const url of urls) if (!next.has(url)) next.set(url, count);
  return next;
}
