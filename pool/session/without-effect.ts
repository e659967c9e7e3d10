/** What a request says to no effect: strings in its dry run, warnings on its run. */
import type { Guardrails } from "../../shared/guardrails.ts";
import type { Playbook } from "../../shared/playbook.ts";
import type { CreateRun } from "../../shared/run.ts";
import type { Warning } from "../../shared/run-status.ts";
import { mayType } from "../playbook/credentials-used.ts";

export type Asked = { body: CreateRun; playbook: Playbook | null; guardrails: Guardrails; hasModel: boolean };

export function withoutEffect({ body, playbook, guardrails, hasModel }: Asked): string[] {
  const said: string[] = [];
  if (guardrails.allowed_domains?.length === 0) said.push("allowed_domains is empty: no host may be reached");
  if (hasModel) return said; // an agent may use whatever it is given
  if (body.thinking !== undefined) said.push("No model is configured: thinking has no effect");
  if (body.max_steps !== 50) said.push("No model is configured: max_steps has no effect");
  for (const name of playbook ? Object.keys(body.credentials ?? {}) : [])
    if (!mayType(playbook as Playbook, name)) said.push(`Credential "${name}" is typed by no step`);
  return said;
}

/** The code is that of a dry run's other findings: it is the request that is not as it should be. */
export const asWarnings = (said: string[]): Warning[] =>
  said.map((message) => ({ phase: "request", error: { code: "VALIDATION_FAILED", message, details: null } }));
