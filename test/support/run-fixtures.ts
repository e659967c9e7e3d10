/** Runs, owners and outcomes for tests. */
import type { Claimant } from "../../pool/queue/claim.ts";
import type { EndFields } from "../../pool/store/events.ts";
import type { Owner } from "../../pool/store/fence.ts";
import type { NewRun } from "../../pool/store/runs.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import { DEFAULT_LIMITS, type Guardrails } from "../../shared/guardrails.ts";
import { newRunId } from "../../shared/ids.ts";
import { CreateRunSchema } from "../../shared/run.ts";
import { type ClockLimits, NO_USAGE } from "../../shared/run-status.ts";

export const quiet = createLog("silent");
export const CLOCK_LIMITS: ClockLimits = { queue: 600, start: 30, idle: 120 };
export const OWNER: Owner = { node_id: "node-a", boot_id: "boot-1", node_url: "http://127.0.0.1:7070" };

const GUARDRAILS: Guardrails = {
  allowed_domains: null,
  blocked_domains: [],
  ...DEFAULT_LIMITS,
  allow_private_networks: false,
  enable_llm_action_check: true,
  goal_type: null,
  stuck_applies_to: "improvised",
};

/** A run as a client could have posted it. */
export function newRun(body: Record<string, unknown> = {}, more: Partial<NewRun> = {}): NewRun {
  const { credentials: _credentials, ...request } = CreateRunSchema.parse({ directive: "cancel order 12345", ...body });
  return {
    run_id: newRunId(),
    api_key_name: "tester",
    request,
    playbook: null,
    params: {},
    guardrails: GUARDRAILS,
    sealed_credentials: null,
    ...more,
  };
}

/** Who claims in a test: this node, with an id of its own for each claim. */
export const claimant = (owner: Owner = OWNER): Claimant => ({ ...owner, claim_id: crypto.randomUUID() });

/** An outcome as good as any. */
export const OUTCOME: EndFields = {
  outcome: { result: "done", data: null, error: null, usage: NO_USAGE },
  lists: { actions: [], step_results: [], extracted_texts: [] },
};
