/** The guardrails of one run, for the router of actions: asked before each action, told after it. */
import type { Action, Origin } from "../../shared/action.ts";
import type { Guardrails, Verdict } from "../../shared/guardrails.ts";
import type { ClickTarget } from "../actions/attempt.ts";
import { wordingOf } from "./concepts.ts";
import { type AskModel, type ClickContext, judgeClick } from "./destructive.ts";
import type { EgressRecord } from "./egress-record.ts";
import { createNetworkWatch } from "./network-watch.ts";
import type { Policy } from "./policy.ts";
import { applyRules, INITIAL_STATE, RULES } from "./rules.ts";
import { judgeScope, judgeScopedClick, type Scope } from "./scope.ts";
import { judgeCommitted } from "./shown.ts";

/** `url`: where the page is now; its frames are held by the network alone. `error` null: it was done. */
export type ActionOutcome = {
  action: Action;
  url: string;
  error: unknown;
  origin: Origin;
  /** The next action belongs to the same sequence. */
  more?: boolean;
};

export type RunGuardrails = {
  /** May this be done to a page at `url`? `block` and `stop` mean no. `scope`: of the agent that wants it; an author has none. `by`: who wants it, and why. */
  ask(action: Action, page: { url: string; scope?: Scope; by?: Omit<ClickContext, "url"> }): Promise<Verdict>;
  /** May this element be clicked? Asked when it is known which one it is. Null: nothing against it. */
  permit(target: ClickTarget, context: ClickContext & { scope?: Scope }): Promise<Verdict | null>;
  /** Once for each `ask`, refused actions too. `block`: the action counts as failed; `stop`: so does the run, and every later `ask` says it again. */
  after(outcome: ActionOutcome): Verdict | null;
};

export type GuardrailsOptions = {
  guardrails: Guardrails;
  policy: Policy;
  /** The run's egress listener: what the network refused explains why a page did not load. Absent: nothing is explained. */
  egress?: EgressRecord;
  /** Says of what the word lists cannot tell whether it may be clicked. Absent: it may not. */
  askModel?: AskModel;
  /** Hears every verdict, `allow` among them. */
  onVerdict?: (verdict: Verdict) => void;
};

const ALLOW: Verdict = { kind: "allow", rule: "none", reason: "Nothing is against it" };

/** Holds state, nothing to close. */
export function openGuardrails({ guardrails, policy, egress, askModel, onVerdict = () => {} }: GuardrailsOptions): RunGuardrails {
  let state = INITIAL_STATE;
  let refused = false;
  let stopped: Verdict | null = null;
  const watch = egress === undefined ? null : createNetworkWatch(egress);

  const tell = <V extends Verdict | null>(verdict: V): V => {
    if (verdict !== null) onVerdict(verdict);
    if (verdict?.kind === "stop") stopped ??= verdict;
    return verdict;
  };

  /** An address that does something is no less of a deed than the link to it. What somebody wrote out is theirs. */
  const judgeAddress = async (address: string, url: string, scope?: Scope, by?: Omit<ClickContext, "url">): Promise<Verdict | null> => {
    if (!by || by.origin === "author" || scope?.urls.has(URL.parse(address)?.href ?? "")) return null;
    const name = "That address"; // which one, a reason does not say
    const link = { name, text: name, role: "link", href: address, form: null, submits: false, dialog: "" };
    return await judgeClick(link, { ...by, url }, { guardrails, askModel });
  };

  const judge = async (action: Action, { url, scope, by }: Parameters<RunGuardrails["ask"]>[1]): Promise<Verdict> => {
    const shown = action.action === "goto" ? null : judgeCommitted(policy, url);
    const outside = shown ?? (scope ? judgeScope(scope, action, url) : null);
    if (outside !== null) return outside;
    const target = action.action === "goto" ? await policy.judgeUrl(action.params.url) : ALLOW;
    if (target.kind !== "allow") return target;
    const deed = action.action === "goto" ? await judgeAddress(action.params.url, url, scope, by) : null;
    if (deed?.kind === "block") return deed;
    if (deed) tell(deed);
    const judged = applyRules(RULES, state, (rule, so) => rule.before?.(so, { action, url }, guardrails));
    if (judged.verdict?.kind !== "block" && judged.verdict?.kind !== "stop") state = judged.state;
    return judged.verdict ?? target;
  };

  return {
    async ask(action, page) {
      watch?.asked(page.url);
      const verdict = stopped ?? (await judge(action, page));
      refused = verdict.kind === "block" || verdict.kind === "stop";
      return tell(verdict);
    },
    async permit(target, context) {
      const wording = wordingOf(target);
      const outside = context.scope ? judgeScopedClick(context.scope, target, wording) : null;
      return tell(outside ?? (await judgeClick(target, context, { guardrails, askModel }, wording)));
    },
    after({ action, url, error, origin, more = false }) {
      const committed = refused ? null : (watch?.cause({ action, url, error }) ?? judgeCommitted(policy, url));
      const success = error === null && committed === null;
      const judged = applyRules(RULES, state, (rule, so) => rule.after?.(so, { action, success, origin, more }, guardrails));
      state = judged.state;
      return tell(judged.verdict?.kind === "stop" ? judged.verdict : (committed ?? judged.verdict));
    },
  };
}
