/** What a typical run tells its store: the example that cancels an order, as the node tells it. */
import { readFileSync } from "node:fs";
import type { StepOutcome } from "../../../pool/drift/ledger.ts";
import { parsePlaybook } from "../../../pool/playbook/load.ts";
import type { NewRun, RunLists } from "../../../pool/store/runs.ts";
import type { ActionRecord, RunEvent } from "../../../shared/event.ts";
import type { Step } from "../../../shared/playbook.ts";
import { newRun } from "../../support/run-fixtures.ts";

const PLAYBOOK = parsePlaybook(readFileSync(new URL("../../../examples/cancel-order.yaml", import.meta.url), "utf8"));

/** As it is posted, credentials sealed. */
export function simRun(): NewRun {
  const sealed_credentials = new Uint8Array(160);
  const params = { order_id: 12345, reason: "Changed my mind", dashboard: "http://127.0.0.1:4400" };
  return newRun({ directive: "cancel order 12345", labels: { team: "orders" } }, { playbook: PLAYBOOK, params, sealed_credentials });
}

/** Its events between `running` and its end, the lists of its end, and what the ledger counts. */
export function scriptOf(): { told: RunEvent[]; lists: RunLists; outcomes: StepOutcome[] } {
  const at = new Date().toISOString();
  const actions: ActionRecord[] = [];
  const act = (step: number | null, tool: string, summary: string): RunEvent => {
    const seq = actions.length + 1;
    const action: ActionRecord = {
      ...{ at, seq, step, tool, action: tool, summary, url: "http://127.0.0.1:4400/orders/12345", duration_ms: 84.5, success: true },
      ...{ result_text: `Did it: ${summary}`, error: null, screenshot: `${String(seq).padStart(4, "0")}-${tool}.jpg` },
    };
    actions.push(action);
    return { type: "action", ...action };
  };
  const told: RunEvent[] = [act(null, "goto", "Open http://127.0.0.1:4400/login")];
  for (const [index, step] of PLAYBOOK.steps.entries()) {
    const description = step.description ?? step.action;
    const about = { type: "step", at, index, action: step.action, description, attempt: 1, error: null } as const;
    told.push({ ...about, state: "started" }, ...partsOf(step).map((tool) => act(index, tool, description)), {
      ...about,
      state: "completed",
    });
  }
  const step_results = PLAYBOOK.steps.map((step, index) => ({
    ...{ index, action: step.action, description: step.description ?? step.action, success: true, attempts: 1, duration_ms: 120 },
    ...{ error: null, raw_error: null, recovery_used: false, extracted_text: null, usage: null },
  }));
  const outcomes = step_results.map(({ index, attempts, duration_ms }) => {
    return { index, success: true, attempts, recovery_used: false, duration_ms, fallbacks: [0] };
  });
  return { told, lists: { actions, step_results, extracted_texts: ["Cancelled"] }, outcomes };
}

/** The actions that a step is made of. */
function partsOf(step: Step): string[] {
  const parts = (step.params as { actions?: Step[] } | undefined)?.actions;
  return parts ? parts.map(({ action }) => action) : [step.action];
}
