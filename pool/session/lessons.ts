/** What one run learns of its playbook: how each step fared, and which repair of it worked. */
import { pause } from "../../shared/deadline.ts";
import { AppError, toErrorDetail } from "../../shared/errors.ts";
import type { ActionRecord } from "../../shared/event.ts";
import type { Verify } from "../../shared/playbook.ts";
import type { StepResult } from "../../shared/run.ts";
import { type BoundPlaybook, bindStep } from "../playbook/bind.ts";
import { type Deed, planRepair } from "../playbook/repair.ts";
import { isFinal, type Recovered, type StepFailure } from "../playbook/run-step.ts";
import type { Act } from "./act.ts";
import type { SessionDeps } from "./session-deps.ts";
import type { Stage } from "./stage.ts";

export type Lessons = {
  started(index: number): void;
  /** Which selector of its chain found an element of the step. */
  chose(index: number): void;
  record(record: ActionRecord): void;
  /**
   * Does the step as an open proposal has it, where the operator wants those to prove themselves. Null: there is none that works. What may happen only
   * once is not tried: an agent that comes after a trial could do it again.
   */
  trial(failure: StepFailure): Promise<Recovered | null>;
  /** An agent has repaired the step; whether it holds shows in its result. */
  repaired(failure: StepFailure, deeds: readonly Deed[]): void;
  result(result: StepResult): void;
  /** A trial is clean where the playbook `completed` and no step needed an agent. Resolves once all is stored, or after a moment: a run waits no longer. */
  settled(completed: boolean): Promise<void>;
};

const SETTLE_MS = 1_000;

type Parts = {
  stage: Pick<Stage, "row" | "signal" | "redactor" | "warn">;
  deps: Pick<SessionDeps, "ledger" | "proposals" | "log">;
  bound: BoundPlaybook;
  act: Act;
  verify: (verify: Verify) => Promise<void>;
};

/** Null for a playbook that is not installed. */
export function createLessons({ stage, deps, bound, act, verify }: Parts): Lessons | null {
  const { row, signal, redactor } = stage;
  const { ledger, proposals } = deps;
  const { playbook } = bound;
  if (!proposals.isInstalled(playbook)) return null;
  const records: ActionRecord[] = [];
  const storing: Promise<void>[] = [];
  const passed: { step: number; proposalId: string }[] = [];
  let neededAgent = false;
  let fallbacks: number[] = [];
  let repair: { failure: StepFailure; deeds: readonly Deed[] } | null = null;

  const store = (work: Promise<void>) => {
    storing.push(work.catch((error: unknown) => stage.warn("proposal", toErrorDetail(error), error)));
  };
  const pictureOf = (index: number, holds: (record: ActionRecord) => boolean): string | null =>
    records.findLast((record) => record.step === index && holds(record))?.screenshot ?? null;

  const learn = ({ failure: { step }, deeds }: NonNullable<typeof repair>) => {
    const planned = planRepair({ playbook, step, deeds, isSecret: (text) => redactor.text(text) !== text });
    if ("why" in planned) return deps.log.info("A repair makes no proposal", { step: step.index, why: planned.why });
    const pictures = {
      before: pictureOf(step.index, ({ tool }) => tool === "playbook"),
      after: pictureOf(step.index, ({ tool, success }) => tool === "agent" && success),
    };
    const description = playbook.steps[step.index]?.description || step.action;
    store(proposals.propose(playbook.id, { runId: row.run_id, repair: planned.repair, description, pictures }));
  };

  return {
    started() {
      fallbacks = [];
    },
    chose: (index) => void fallbacks.push(index),
    record: (record) => void records.push(record),

    async trial({ step }) {
      if (step.verify === null || step.once) return null;
      const found = await proposals.onTrial(playbook, step.index).catch((error: unknown) => {
        deps.log.warn("It is not known whether a proposal is on trial; the agent is asked", { step: step.index, error });
        return null;
      });
      if (!found) return null;
      try {
        const steps = playbook.steps.with(step.index, found.step);
        const { actions, description, intent, values } = bindStep({ ...bound, playbook: { ...playbook, steps } }, step.index, step.stored);
        let text: string | null = null;
        for (const [i, { action, typed }] of actions.entries()) {
          if (typed) return null; // what mixes credentials is composed by its step alone
          const info = { step: step.index, tool: "trial", title: description, values, intent, more: i + 1 < actions.length };
          const done = await act(action, { ...info, origin: "recovery" });
          text = action.action === "extract" ? done.text : text;
        }
        await verify(step.verify);
        passed.push({ step: step.index, proposalId: found.proposalId });
        return { text };
      } catch (error) {
        store(proposals.tried(playbook.id, found.proposalId, false));
        signal.throwIfAborted();
        if (error instanceof AppError && isFinal(error) && !isRefusal(error)) throw error;
        deps.log.info("A proposal on trial did not work", {
          step: step.index,
          proposal_id: found.proposalId,
          error: redactor.text(String(error)),
        });
        return null;
      }
    },

    repaired(failure, deeds) {
      repair = { failure, deeds };
    },

    result(result) {
      if (!signal.aborted) ledger.count(playbook, { ...result, fallbacks });
      if (repair && result.success && result.recovery_used) learn(repair);
      repair = null;
      neededAgent ||= result.recovery_used && !passed.some(({ step }) => step === result.index);
    },

    async settled(completed) {
      for (const { proposalId } of passed) store(proposals.tried(playbook.id, proposalId, completed && !neededAgent));
      if (storing.length > 0) await Promise.race([Promise.all(storing), pause(SETTLE_MS)]);
    },
  };
}

/** Of this one proposal: the rules have not ended the run. */
const isRefusal = ({ code, details }: AppError): boolean => code === "GUARDRAIL_BLOCKED" && details?.kind !== "stop";
