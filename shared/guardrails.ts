/** What a run may reach and do: the rules as data. Who enforces them is the pool's matter. */
import { z } from "zod";

/** `host` matches exactly, `*.host` its subdomains; nothing else. */
const HOST_RULE = /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$|^\[[0-9a-f:.]+\]$/;
export const HostRuleSchema = z
  .string()
  .max(253)
  .transform((rule) => rule.toLowerCase().replace(/\.$/, ""))
  .pipe(z.string().regex(HOST_RULE, "Expected a host or *.host"));

const HostRules = z.array(HostRuleSchema).max(100);

const fields = {
  allowed_domains: HostRules.nullable(),
  blocked_domains: HostRules,
  max_urls_visited: z.int().min(1).max(500),
  max_consecutive_errors: z.int().min(1).max(50),
  allow_private_networks: z.boolean(),
  enable_llm_action_check: z.boolean(),
  stuck_window_size: z.int().min(2).max(50),
  stuck_repeat_hint: z.int().min(2).max(20),
  stuck_repeat_warn: z.int().min(2).max(30),
  stuck_repeat_stop: z.int().min(2).max(40),
  stuck_cycle_max_length: z.int().min(2).max(10),
  stuck_cycle_repeats: z.int().min(2).max(20),
  stuck_revisit_gap: z.int().min(1).max(50),
  stuck_failure_cluster_window: z.int().min(2).max(50),
  stuck_failure_cluster_threshold: z.int().min(1).max(50),
};

/** Guardrails as merged: every rule has a value. The lists of three layers may be longer than what one layer may set. */
export const GuardrailsSchema = z
  .strictObject({ ...fields, allowed_domains: z.array(HostRuleSchema).nullable(), blocked_domains: z.array(HostRuleSchema) })
  .meta({ id: "Guardrails" });
export type Guardrails = z.infer<typeof GuardrailsSchema>;

/** Guardrails as somebody set them: operator, playbook or request. What is absent was not set. */
export const GuardrailsInputSchema = z.strictObject(fields).partial().meta({ id: "GuardrailsInput" });
export type GuardrailsInput = z.infer<typeof GuardrailsInputSchema>;

export const VerdictKindSchema = z.enum(["allow", "hint", "warning", "block", "stop"]);

/** What the guardrails say of one action. `rule` is a stable name, `reason` a sentence. */
export type Verdict = { kind: z.infer<typeof VerdictKindSchema>; rule: string; reason: string; host?: string };
