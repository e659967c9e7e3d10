/** The rules that watch a run's actions, each a pure function from state to state: a test replays a run as a list. */
import type { Action, Origin } from "../../shared/action.ts";
import { counted } from "../../shared/counted.ts";
import type { Guardrails, Verdict } from "../../shared/guardrails.ts";
import { fingerprint, judgeStuck, NOT_STUCK, type StuckState } from "./stuck.ts";

/** What the rules remember of a run. A rule that needs more adds its part here. */
export type RunState = {
  /** Distinct URLs gone to. */
  visited: ReadonlySet<string>;
  /** Failed actions in a row, up to now. */
  errors: number;
  stuck: StuckState;
  /** Of a sequence that is under way, what was done so far. */
  sequence: readonly Action[];
};
export const INITIAL_STATE: RunState = { visited: new Set(), errors: 0, stuck: NOT_STUCK, sequence: [] };

/** `url`: the address of the page, its main frame, that the action is about to be done to. */
export type Asked = { action: Action; url: string };
/** `more`: the next action belongs to the same sequence, which counts as one. */
export type Done = { action: Action; success: boolean; origin: Origin; more: boolean };
export type Judged = { state: RunState; verdict: Verdict | null };

/** `before` judges what is about to be done, `after` what came of it. Null: nothing to say. State of a refused action is dropped. */
export type Rule = {
  before?(state: RunState, asked: Asked, limits: Guardrails): Judged;
  after?(state: RunState, done: Done, limits: Guardrails): Judged;
};

/** Counts `goto` by distinct URL; asked only of URLs that every other rule let pass. */
export const visitedUrls: Rule = {
  before(state, { action }, { max_urls_visited }) {
    if (action.action !== "goto") return { state, verdict: null };
    const url = URL.canParse(action.params.url) ? new URL(action.params.url).href : action.params.url;
    if (state.visited.has(url)) return { state, verdict: null };
    if (state.visited.size >= max_urls_visited) {
      const reason = `The run has visited ${counted(max_urls_visited, "different URL")}, as many as max_urls_visited allows`;
      return { state, verdict: { kind: "block", rule: "max_urls_visited", reason } };
    }
    return { state: { ...state, visited: new Set(state.visited).add(url) }, verdict: null };
  },
};

/** Stops the run once so many actions in a row have failed; refused ones count as failed. */
export const consecutiveErrors: Rule = {
  after(state, { success }, { max_consecutive_errors }) {
    const errors = success ? 0 : state.errors + 1;
    const reason = `${errors === 1 ? "An action has" : `${errors} actions in a row have`} failed, as many as max_consecutive_errors allows`;
    const verdict: Verdict | null = errors >= max_consecutive_errors ? { kind: "stop", rule: "max_consecutive_errors", reason } : null;
    return { state: { ...state, errors }, verdict };
  },
};

/** A sequence is judged as a whole, once it is over. An author's repeats are granted unless somebody set limits for them. */
export const stuck: Rule = {
  after(state, { action, success, origin, more }, limits) {
    const sequence = [...state.sequence, action];
    if (more && success) return { state: { ...state, sequence }, verdict: null };
    const attempted = {
      fingerprint: sequence.map(fingerprint).join(" → "),
      urls: sequence.flatMap((each) => (each.action === "goto" ? [each.params.url] : [])),
      success,
      granted: origin === "author" && limits.stuck_applies_to === "improvised",
    };
    const judged = judgeStuck(state.stuck, attempted, limits);
    return { state: { ...state, stuck: judged.state, sequence: [] }, verdict: judged.verdict };
  },
};

/** In order; what a rule says earlier goes first among verdicts of one weight. */
export const RULES: readonly Rule[] = [visitedUrls, consecutiveErrors, stuck];

const WEIGHT: Record<Verdict["kind"], number> = { allow: 0, hint: 1, warning: 2, block: 3, stop: 4 };

/** All rules, one verdict: the gravest. */
export function applyRules(rules: readonly Rule[], state: RunState, judge: (rule: Rule, state: RunState) => Judged | undefined): Judged {
  return rules.reduce<Judged>(
    (so, rule) => {
      const judged = judge(rule, so.state);
      if (judged === undefined) return so;
      const graver = judged.verdict !== null && (so.verdict === null || WEIGHT[judged.verdict.kind] > WEIGHT[so.verdict.kind]);
      return { state: judged.state, verdict: graver ? judged.verdict : so.verdict };
    },
    { state, verdict: null },
  );
}
