/** What a run may reach and do: the rules as data. Who enforces them is the pool's matter. */
import { z } from "zod";
import type { Issue } from "./errors.ts";

/** `host` matches exactly, `*.host` its subdomains; nothing else. */
const HOST_RULE = /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$|^\[[0-9a-f:.]+\]$/;
const hostRule = (form: RegExp, message: string) =>
  z
    .string()
    .max(253)
    .transform((rule) => rule.toLowerCase().replace(/\.$/, ""))
    .pipe(z.string().regex(form, message));
export const HostRuleSchema = hostRule(HOST_RULE, "Expected a host or *.host");

const HostRules = z.array(HostRuleSchema).max(100);
/** In `blocked_domains`: all hosts of the list that counts where nobody set one. */
export const DEFAULT_LIST = "@default";
const BlockedRuleSchema = hostRule(new RegExp(`^${DEFAULT_LIST}$|${HOST_RULE.source}`), "Expected a host, *.host or @default");

/** What an agent is for, the narrowest first: each may do, and is shown, at least what the one before it is. */
export const GOAL_TYPES = ["navigate", "read", "interact", "fill_form"] as const;
export type GoalType = (typeof GOAL_TYPES)[number];

const fields = {
  allowed_domains: HostRules.nullable(),
  blocked_domains: z.array(BlockedRuleSchema).max(100),
  max_urls_visited: z.int().min(1).max(500),
  max_consecutive_errors: z.int().min(1).max(50),
  allow_private_networks: z.boolean(),
  enable_llm_action_check: z.boolean(),
  goal_type: z
    .enum(GOAL_TYPES)
    .nullable()
    .describe("What an agent or a recovery may see and do; null: judged from the directive, or from what the playbook does"),
  stuck_window_size: z.int().min(2).max(50),
  stuck_repeat_hint: z.int().min(2).max(20),
  stuck_repeat_warn: z.int().min(2).max(30),
  stuck_repeat_stop: z.int().min(2).max(40),
  stuck_cycle_max_length: z.int().min(2).max(10),
  stuck_cycle_repeats: z.int().min(2).max(20),
  stuck_revisit_gap: z.int().min(1).max(50),
  stuck_failure_cluster_window: z.int().min(2).max(50),
  stuck_failure_cluster_threshold: z.int().min(1).max(50),
  stuck_applies_to: z
    .enum(["improvised", "all"])
    .describe(
      "improvised: steps that the playbook's author repeats are granted; all: they are judged too. all, as soon as a layer sets a stuck_ field",
    ),
};

/** The limits where nobody set anything. */
export const DEFAULT_LIMITS = {
  max_urls_visited: 50,
  max_consecutive_errors: 5,
  stuck_window_size: 12,
  stuck_repeat_hint: 3,
  stuck_repeat_warn: 5,
  stuck_repeat_stop: 7,
  stuck_cycle_max_length: 3,
  stuck_cycle_repeats: 3,
  stuck_revisit_gap: 5,
  stuck_failure_cluster_window: 5,
  stuck_failure_cluster_threshold: 3,
} as const satisfies Partial<Guardrails>;
export type Limits = { [K in keyof typeof DEFAULT_LIMITS]: number };

/** Limits that only make sense together; paths are field names. */
export function contradictions(limits: Limits): Issue[] {
  const issues: Issue[] = [];
  const below = (lower: keyof Limits, upper: keyof Limits, strictly: boolean) => {
    if (strictly ? limits[lower] < limits[upper] : limits[lower] <= limits[upper]) return;
    const relation = strictly ? "less than" : "at most";
    issues.push({ path: lower, message: `Must be ${relation} ${upper} (${limits[upper]}), is ${limits[lower]}` });
  };
  below("stuck_repeat_hint", "stuck_repeat_warn", true);
  below("stuck_repeat_warn", "stuck_repeat_stop", true);
  below("stuck_repeat_stop", "stuck_window_size", false);
  below("stuck_failure_cluster_threshold", "stuck_failure_cluster_window", false);
  const cycle = limits.stuck_cycle_max_length * limits.stuck_cycle_repeats;
  if (limits.stuck_window_size < cycle) {
    const message = `Must hold stuck_cycle_max_length × stuck_cycle_repeats actions (${cycle}), is ${limits.stuck_window_size}`;
    issues.push({ path: "stuck_window_size", message });
  }
  return issues;
}

/** Guardrails as merged: every rule has a value. The lists of three layers may be longer than what one layer may set. */
export const GuardrailsSchema = z
  .strictObject({ ...fields, allowed_domains: z.array(HostRuleSchema).nullable(), blocked_domains: z.array(BlockedRuleSchema) })
  .meta({ id: "Guardrails" });
export type Guardrails = z.infer<typeof GuardrailsSchema>;

/** Guardrails as somebody set them: operator, playbook or request. What is absent was not set. */
export const GuardrailsInputSchema = z.strictObject(fields).partial().meta({ id: "GuardrailsInput" });
export type GuardrailsInput = z.infer<typeof GuardrailsInputSchema>;

export const VerdictKindSchema = z.enum(["allow", "hint", "warning", "block", "stop"]);

/** What the guardrails say of one action. `rule` is a stable name, `reason` a sentence. */
export type Verdict = { kind: z.infer<typeof VerdictKindSchema>; rule: string; reason: string; host?: string };
