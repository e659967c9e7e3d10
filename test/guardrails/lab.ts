/** What the guardrails' tests share: policies on an injected resolver. */

import { mergeGuardrails } from "../../pool/guardrails/merge.ts";
import { createPolicy, type Policy } from "../../pool/guardrails/policy.ts";
import { parsePrivateNetworks } from "../../pool/guardrails/private-networks.ts";
import type { Resolve } from "../../pool/guardrails/resolve.ts";
import type { Guardrails, GuardrailsInput } from "../../shared/guardrails.ts";

/** Answers from a table; an empty or missing entry does not resolve. Counts what it was asked. */
export function tableResolver(answers: Record<string, readonly string[]>): Resolve & { asked: string[] } {
  const asked: string[] = [];
  const resolve = async (host: string) => {
    asked.push(host);
    const found = answers[host] ?? [];
    if (found.length === 0) throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
    return found;
  };
  return Object.assign(resolve, { asked });
}

export const guardrailsOf = (request: GuardrailsInput): Guardrails => mergeGuardrails({ request: { blocked_domains: [], ...request } });

/** A policy that reaches only these networks beside the public ones. */
export function labPolicy(networks: string, resolve: Resolve, request: GuardrailsInput = {}, now?: () => number): Policy {
  const guardrails = guardrailsOf({ allow_private_networks: networks !== "", ...request });
  return createPolicy(guardrails, { privateNetworks: parsePrivateNetworks(networks), resolve, ...(now ? { now } : {}) });
}
