/** What the agent of a run is for: said by the guardrails, else by the directive, or by what the playbook does that it is to repair. */
import { GOAL_TYPES, type GoalType } from "../../shared/guardrails.ts";
import { goalTypeOf } from "../agent/goal-type.ts";
import { createScope, type Scope, type ScopeOptions } from "../guardrails/scope.ts";
import type { BoundPlaybook } from "../playbook/bind.ts";
import type { BoundStep } from "../playbook/bind-step.ts";
import type { Asker } from "./asker.ts";
import type { Stage } from "./stage.ts";

/** Asks the utility model where neither guardrails nor words say what the directive is for. */
export async function scopeOfDirective(directive: string, stage: Stage, asker: Asker): Promise<Scope> {
  const { row, credentials, redactor, signal } = stage;
  const floor = Object.keys(credentials).length > 0 ? "interact" : "navigate"; // a credential that cannot be typed was given for nothing
  const reader = { ask: (question: Parameters<Asker["ask"]>[0]) => asker.ask(question, "reader"), redact: redactor.text, signal };
  const goal = row.guardrails.goal_type ?? (await goalTypeOf(directive, reader, floor));
  return tellScope(stage, scopeOf(stage, { goal, intent: directive, urls: [] }));
}

/** A recovery may do what its playbook does, and where it does it. `bind` null: the step needs a text that is not there yet. */
export function scopeOfRecovery(bound: BoundPlaybook, stage: Stage, bind: (index: number) => BoundStep | null): Scope {
  const { steps, description } = bound.playbook;
  const boundSteps = steps.map((_, i) => bind(i));
  const actions = boundSteps.flatMap((step) => step?.actions ?? []).map(({ action }) => action);
  const goal = stage.row.guardrails.goal_type ?? widest([...steps, ...actions].map(goalOf));
  const intent = [stage.row.request.directive ?? "", description, ...steps.map((step) => step.description)].join("\n");
  const selectors = actions.flatMap(({ selector }) =>
    selector ? [selector.primary, ...selector.fallbacks, selector.description ?? ""] : [],
  );
  const urls = [bound.start_url, ...actions.map((action) => (action.action === "goto" ? action.params.url : null))];
  const scope = scopeOf(stage, { goal, intent, selectors, urls });
  return tellScope(stage, boundSteps.includes(null) ? { ...scope, hosts: null } : scope);
}

const goalOf = ({ action }: { action: string }): GoalType =>
  action === "key_press" || action === "select" ? "fill_form" : action === "click" ? "interact" : "read";
const widest = (goals: readonly GoalType[]): GoalType => GOAL_TYPES.findLast((each) => goals.includes(each)) ?? "read";

const scopeOf = ({ row }: Pick<Stage, "row">, options: Omit<ScopeOptions, "hidesDeeds">): Scope =>
  createScope({
    ...options,
    urls: [row.request.start_url ?? null, ...options.urls],
    hidesDeeds: row.guardrails.enable_llm_action_check,
  });

function tellScope({ emit, redactor }: Stage, scope: Scope): Scope {
  const { goal, hosts } = scope;
  const reason = redactor.text(`The agent's goal is "${goal}"${hosts ? `; it opens addresses on ${hosts.slice(0, 10).join(", ")}` : ""}`);
  emit({ type: "guardrail", at: new Date().toISOString(), rule: "scope", kind: "allow", reason, action_seq: null, host: null });
  return scope;
}
