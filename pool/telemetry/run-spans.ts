/** The trace of a run: run → step → action, and what models were asked. All it holds are names of ours, codes and counts, so that no page's word is in it. */
import type { RunStatus, Usage } from "../../shared/run-status.ts";
import { NO_TRACING, type Span, type SpanFields, type Tracing } from "../../shared/tracing.ts";

/** Runs that were posted here and have not begun. Most begin at once; those that others take are forgotten. */
const MAX_POSTED = 1_000;
/** Providers, as OpenTelemetry's conventions for generative AI call them. */
const PROVIDER_NAMES: Record<string, string> = { google: "gcp.gemini" };

export type RunTraces = {
  /** A request whose `traceparent` this was posted the run to this node. */
  posted(runId: string, traceparent: string | null): void;
  open(attempt: { run_id: string; node_id: string; attempt: number }): RunSpans;
};

export type RunSpans = {
  set(fields: SpanFields): void;
  /** The steps of a run do not overlap: what is done and asked until the end of one belongs to it. */
  step(index: number, action: string): Pick<Span, "end">;
  action(about: { seq: number; action: string; tool: string }): Span;
  /** `provider:model`, masked. */
  ask(model: string): AskSpan;
  /** Ends the step under way too. `error`: its code. */
  end(outcome: { status: RunStatus; error: { code: string } | null }, usage: Usage): void;
};

/** `spend`: what an attempt at it has cost. */
export type AskSpan = Pick<Span, "end"> & { spend(usage: Usage): void };

export function createRunTraces(tracing: Tracing): RunTraces {
  const posted = new Map<string, string>();
  return {
    posted(runId, traceparent) {
      if (traceparent === null || tracing === NO_TRACING) return;
      posted.set(runId, traceparent);
      if (posted.size > MAX_POSTED) posted.delete(posted.keys().next().value as string);
    },
    open({ run_id, node_id, attempt }) {
      const linked = posted.get(run_id) ?? null;
      posted.delete(run_id);
      const traceId = run_id.replaceAll("-", ""); // whoever knows the run finds its trace, whichever node had it
      const about = { "understudy.run_id": run_id, "understudy.node_id": node_id, "understudy.attempt": attempt };
      return runSpans(tracing.root("run", traceId, linked, about));
    },
  };
}

function runSpans(run: Span): RunSpans {
  let current = run;
  return {
    set: (fields) => run.set(fields),
    step(index, action) {
      const step = run.child(`step ${action}`, { "understudy.step": index, "understudy.action": action });
      current = step;
      return {
        end(error) {
          if (current === step) current = run;
          step.end(error);
        },
      };
    },
    action: ({ seq, action, tool }) =>
      current.child(`action ${action}`, { "understudy.action": action, "understudy.seq": seq, "understudy.tool": tool }),
    ask(model) {
      const [provider = "", ...rest] = model.split(":");
      const name = rest.join(":");
      const about = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDER_NAMES[provider] ?? provider,
        "gen_ai.request.model": name,
      };
      const span = current.child(`chat ${name}`, about, "client");
      const sum = { input: 0, output: 0 };
      return {
        spend({ input_tokens, output_tokens }) {
          sum.input += input_tokens;
          sum.output += output_tokens;
          span.set({ "gen_ai.usage.input_tokens": sum.input, "gen_ai.usage.output_tokens": sum.output });
        },
        end: (error) => span.end(error),
      };
    },
    end({ status, error }, { input_tokens, output_tokens, cost_usd }) {
      if (current !== run) current.end(error?.code);
      run.set({
        "understudy.status": status,
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
        "understudy.cost_usd": cost_usd,
      });
      run.end(error?.code);
    },
  };
}
