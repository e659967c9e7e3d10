/** Asking models on behalf of one run: what it may cost, what it has cost, and that the idle clock waits meanwhile. */
import { toErrorDetail } from "../../shared/errors.ts";
import type { Usage } from "../../shared/run-status.ts";
import { llmError } from "../llm/failure.ts";
import type { Answer, Llm, Question } from "../llm/llm.ts";
import { addUsage } from "../playbook/runner.ts";
import type { Stage } from "./stage.ts";

export type Asker = {
  /** `reader`: the utility model is asked, else the run's. @throws LLM_ERROR, or the run's end */
  ask(question: Omit<Question, "model" | "thinking">, who: "agent" | "reader"): Promise<Answer>;
  /** Whatever is asked until `work` is done is counted by `spend` too. */
  charging<T>(spend: (usage: Usage) => void, work: () => Promise<T>): Promise<T>;
};

export function createAsker(stage: Stage, llm: Llm): Asker {
  const { signal, progress } = stage;
  const { model, thinking, max_cost_usd } = stage.row.request;
  let charge: (usage: Usage) => void = () => {};

  const count = (usage: Usage) => {
    progress.usage = addUsage(progress.usage, usage);
    const { input_tokens, output_tokens, cost_usd } = usage;
    const at = new Date().toISOString();
    stage.emit({ type: "usage", at, model: usage.model ?? "", input_tokens, output_tokens, cost_usd, total: progress.usage });
    charge(usage);
  };

  return {
    async ask(question, who) {
      const asked = who === "reader" ? llm.utilityModel : (model ?? llm.model);
      if (max_cost_usd !== undefined && (progress.usage.cost_usd ?? 0) >= max_cost_usd)
        throw llmError(asked, "cost_limit", `the run has spent its max_cost_usd of ${max_cost_usd}`);
      const release = stage.holdIdle();
      const span = stage.spans.ask(stage.redactor.text(asked));
      const spend = (usage: Usage) => {
        span.spend(usage);
        count(usage);
      };
      const uncounted = () =>
        stage.warn("usage", toErrorDetail(llmError(asked, "unavailable", "it broke off; what it had counted by then is not known")));
      try {
        const answer = await llm.ask({ ...question, model: asked, ...(who === "agent" ? { thinking } : {}) }, { signal, spend, uncounted });
        span.end();
        return answer;
      } catch (error) {
        span.end(toErrorDetail(error).code);
        throw error;
      } finally {
        release();
      }
    },
    async charging(spend, work) {
      charge = spend;
      try {
        return await work();
      } finally {
        charge = () => {};
      }
    },
  };
}
