/** The agent of one run: what it may use, what it costs, and what the session asks of it. */
import type { Action } from "../../shared/action.ts";
import { AppError, toErrorDetail } from "../../shared/errors.ts";
import type { Verify } from "../../shared/playbook.ts";
import type { Usage } from "../../shared/run-status.ts";
import { ActionError } from "../actions/action-error.ts";
import { findOwnChain } from "../actions/own-chain.ts";
import { ALL_ITEMS, mapElement, mapPage, pageStamp } from "../actions/page-map.ts";
import { takeScreenshot } from "../actions/screenshot.ts";
import type { Tabs } from "../actions/tabs.ts";
import { checkVerify } from "../actions/verify-page.ts";
import { answerFrom } from "../agent/answer-from.ts";
import { compileSchema } from "../agent/data-schema.ts";
import type { AgentDeps } from "../agent/deps.ts";
import { fillData } from "../agent/fill-data.ts";
import { runAgent } from "../agent/loop.ts";
import { type BrokenStep, repairGoal, takeOverGoal } from "../agent/recover.ts";
import { filterItems, filterPage, filterUrl } from "../guardrails/page-filter.ts";
import { filterDeep, filterText } from "../guardrails/page-text.ts";
import { aboutScope, createScope, itemsInScope, judgeScope, SCOPE_ACTIONS, type Scope, showInScope } from "../guardrails/scope.ts";
import { type BoundPlaybook, bindStep } from "../playbook/bind.ts";
import type { BoundStep } from "../playbook/bind-step.ts";
import type { Deed } from "../playbook/repair.ts";
import type { Recovered, StepFailure } from "../playbook/run-step.ts";
import type { Values } from "../playbook/template.ts";
import { summarise } from "../recording/summary.ts";
import type { Log } from "../telemetry/log.ts";
import type { Act } from "./act.ts";
import type { Asker } from "./asker.ts";
import { scopeOfDirective, scopeOfRecovery } from "./scope-of.ts";
import type { Stage } from "./stage.ts";

export type Understudy = {
  /** Carries out a directive that no playbook has. @throws LLM_ERROR, STEP_FAILED, what ended the run */
  carryOut(directive: string): Promise<void>;
  /** Repairs a step, or does it and all that follow; says what it did for that. Null: no model is configured. @throws as carryOut */
  recover(bound: BoundPlaybook, failure: StepFailure): Promise<(Recovered & { deeds: readonly Deed[] }) | null>;
  /** What a `llm_extract` step asks for, found in a text by the utility model; `stored`: what the prompt may name in braces. @throws LLM_ERROR */
  answer(question: { prompt: string; stored: Values; text: string; spend(usage: Usage): void }): Promise<string>;
  /** Data for `output_schema` after a playbook; what goes wrong is a warning, the run has done its work. */
  fillData(): Promise<void>;
};

const RECOVERY_STEPS = 20;
const READS = ["extract", "evaluate"];

/** `asker` null: no model is configured on this node. */
type Parts = { stage: Stage; asker: Asker | null; act: Act; tabs: Tabs; log: Log };
/** `intent`: in the words of whoever asked for it. */
type Work = { step: number | null; title: string; intent: string; scope: Scope; onAct?: (action: Action) => Promise<() => void> };
/** Models that read on behalf of the session do nothing, and see whole pages. */
const READER = createScope({ goal: "fill_form", intent: "", urls: [], hidesDeeds: false });

export function createUnderstudy({ stage, asker, act, tabs, log }: Parts): Understudy {
  const { row, signal, redactor, progress } = stage;
  const mask = redactor.text;
  const { max_steps, output_schema = null } = row.request;
  const directive = row.request.directive ?? null;

  const depsFor = (asker: Asker, { step, title, intent, scope, onAct }: Work, who: "agent" | "reader" = "agent"): AgentDeps => ({
    view: {
      map: async () => filterPage(showInScope(scope, await mapPage(tabs, signal))),
      mapAll: async () => filterPage(showInScope(scope, await mapPage(tabs, signal, ALL_ITEMS))),
      part: async (selector) => {
        const { items, left, truncated } = await mapElement(tabs, selector, signal);
        const filtered = filterItems(itemsInScope(scope, items));
        return { items: filtered.items, left: left + filtered.left, truncated };
      },
      picture: () => takeScreenshot(tabs.active(), { signal, secrets: redactor }),
      stamp: () => pageStamp(tabs, signal),
      url: () => tabs.url(),
    },
    act: async (action, hear, more) => {
      const succeeded = await onAct?.(action);
      const { text } = await act(action, {
        step,
        tool: "agent",
        title,
        values: {},
        origin: step === null ? "agent" : "recovery",
        intent,
        scope,
        more,
        onRemark: hear,
      });
      succeeded?.();
      return { text, summary: summarise(action, mask) };
    },
    verify: (verify) => checkVerify(tabs, verify, { signal }),
    ask: (question) => asker.ask(question, who),
    scope: {
      actions: SCOPE_ACTIONS[scope.goal],
      about: aboutScope(scope),
      holds: (action) => judgeScope(scope, action, tabs.url()) === null,
    },
    redact: mask,
    filterText,
    filterUrl,
    signal,
  });

  return {
    async carryOut(goal) {
      if (asker === null) throw withoutModel();
      const check = output_schema && (await compileSchema(output_schema));
      const credentialNames = Object.keys(stage.credentials);
      const task = {
        goal,
        credentialNames,
        outputSchema: output_schema,
        maxSteps: max_steps,
        verify: null,
        needsText: false,
        takeOver: null,
      };
      const scope = await scopeOfDirective(goal, stage, asker);
      const deps = depsFor(asker, { step: null, title: "Carry out the directive", intent: goal, scope });
      const done = await runAgent({ ...task, checkData: check && (async (data) => check(data)) }, deps);
      progress.extracted_texts.push(...done.extracted.map(mask));
      progress.result = mask(done.summary);
      if (output_schema) progress.data = redactor.deep(done.data);
    },

    async recover(bound, failure) {
      if (asker === null) return null;
      const { step, spend } = failure;
      const broken = describe(bound, failure, directive);
      const rest = bound.playbook.steps.slice(step.index + 1);
      const needsText = step.actions.some(({ action: { action } }) => READS.includes(action));
      const scope = scopeOfRecovery(bound, stage, (index) => boundOrNull(bound, index));
      const deeds: Deed[] = [];
      const unknownChain = (error: unknown) => {
        if (!(error instanceof ActionError) && !signal.aborted)
          log.warn("How else to say an element is not known", { step: step.index, error });
        return null; // an element that is not there: the action says so
      };
      const asked = step.actions.flatMap(({ action: { selector } }) => (selector ? [selector.primary, ...selector.fallbacks] : []));
      const onAct = async (action: Action) => {
        const own = action.selector && (await findOwnChain(tabs, action, asked, signal).catch(unknownChain));
        signal.throwIfAborted();
        return () => void deeds.push({ action, chain: own?.chain ?? [], known: own?.known ?? [] });
      };
      const work = () =>
        runAgent(
          {
            goal: repairGoal(broken),
            credentialNames: Object.keys(stage.credentials),
            outputSchema: null,
            maxSteps: Math.min(max_steps, RECOVERY_STEPS),
            verify: step.verify,
            checkData: null,
            needsText,
            takeOver: rest.length === 0 ? null : () => takeOver(bound, broken),
          },
          depsFor(asker, { step: step.index, title: `Recover: ${step.description}`, intent: step.intent, scope, onAct }),
        );
      const done = await asker.charging(spend, work);
      return { text: done.extracted.at(-1) ?? null, tookOver: done.tookOver, deeds };
    },

    async answer({ prompt, stored, text, spend }) {
      if (asker === null) throw withoutModel();
      const deps = depsFor(asker, { step: null, title: "Answer", intent: prompt, scope: READER }, "reader");
      return await asker.charging(spend, () => answerFrom({ prompt, stored, text, directive }, deps));
    },

    async fillData() {
      if (output_schema === null) return;
      try {
        if (asker === null) throw new AppError("LLM_ERROR", "No model is configured that could fill output_schema: data stays null");
        const check = await compileSchema(output_schema);
        const asked = { schema: output_schema, check, directive, texts: progress.extracted_texts };
        const data = await fillData(
          asked,
          depsFor(asker, { step: null, title: "Fill output_schema", intent: "", scope: READER }, "reader"),
        );
        progress.data = redactor.deep(data);
      } catch (error) {
        signal.throwIfAborted();
        stage.warn("output_schema", toErrorDetail(error));
      }
    },
  };

  /** Not while the plan still fits: the next thing that it wants to touch is there. */
  async function takeOver(
    bound: BoundPlaybook,
    broken: BrokenStep,
  ): Promise<{ refused: string } | { goal: string; verify: Verify | null }> {
    const rest = bound.playbook.steps.slice(broken.index + 1).map((_, i) => boundOrNull(bound, broken.index + 1 + i));
    const target = rest.flatMap((each) => each?.actions ?? []).find(({ action }) => action.selector !== null)?.action.selector;
    if (target && (await isThere(target)))
      return { refused: `the plan still fits: what the next step touches, ${filterText(target.primary)}, is on the page` };
    return { goal: takeOverGoal(broken), verify: rest.at(-1)?.verify ?? null };
  }

  async function isThere(expect_element_visible: NonNullable<Verify["expect_element_visible"]>): Promise<boolean> {
    const verify = {
      expect_url_contains: null,
      expect_element_gone: null,
      expect_text_on_page: null,
      expect_element_visible,
      timeout_ms: 0,
    };
    try {
      await checkVerify(tabs, verify, { signal });
      return true;
    } catch {
      signal.throwIfAborted();
      return false;
    }
  }
}

const withoutModel = (): AppError =>
  new AppError("LLM_ERROR", "No model is configured on this node (LLM_MODEL)", { details: { cause: "not_configured" } });

/** A step may hold texts that earlier ones read: what a page said goes through the filter here too. */
function describe(bound: BoundPlaybook, { step, error, dispatched }: StepFailure, directive: string | null): BrokenStep {
  const { steps, name } = bound.playbook;
  return {
    playbook: name,
    directive,
    index: step.index,
    count: steps.length,
    description: step.intent,
    holdsPageText: Object.keys(step.stored).length > 0,
    actions: filterDeep(step.actions.map(({ action }) => action)),
    verify: filterDeep(step.verify),
    error: filterText(error.message),
    mayHaveHappened: step.once && dispatched,
    rest: steps
      .slice(step.index + 1)
      .map((each, i) => boundOrNull(bound, step.index + 1 + i)?.description ?? (each.description || each.action)),
  };
}

/** Null: it needs a text that an earlier step is yet to store. */
function boundOrNull(bound: BoundPlaybook, index: number): BoundStep | null {
  try {
    return bindStep(bound, index, {});
  } catch {
    return null;
  }
}
