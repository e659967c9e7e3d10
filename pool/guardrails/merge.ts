/** Three layers of guardrails → one. The stricter of what somebody set wins; defaults fill what nobody set. */
import { type Issue, validationFailed } from "../../shared/errors.ts";
import { contradictions, DEFAULT_LIST, GOAL_TYPES, type Guardrails, type GuardrailsInput, type Limits } from "../../shared/guardrails.ts";
import { DEFAULT_GUARDRAILS } from "./defaults.ts";
import { intersectRules, parseHostRule, simplifyRules } from "./domains.ts";

export type GuardrailLayers = { operator?: GuardrailsInput; playbook?: GuardrailsInput; request?: GuardrailsInput };
type LayerName = keyof GuardrailLayers;
const LAYERS = ["operator", "playbook", "request"] as const satisfies LayerName[];

/** Of two limits, which one stops more? A longer window and longer cycles see more; every other limit bites sooner when it is smaller. */
const STRICTER: Record<keyof Limits, (...values: number[]) => number> = {
  max_urls_visited: Math.min,
  max_consecutive_errors: Math.min,
  stuck_window_size: Math.max,
  stuck_repeat_hint: Math.min,
  stuck_repeat_warn: Math.min,
  stuck_repeat_stop: Math.min,
  stuck_cycle_max_length: Math.max,
  stuck_cycle_repeats: Math.min,
  stuck_revisit_gap: Math.min,
  stuck_failure_cluster_window: Math.min,
  stuck_failure_cluster_threshold: Math.min,
};

/**
 * A layer's `null` and what it leaves out are not set. A layer's allow list is that layer's only host rule: its own block list is
 * dropped with it, those of other layers stay.
 * @throws VALIDATION_FAILED for a host rule that no host can match, and for limits that contradict each other once merged
 */
export function mergeGuardrails(layers: GuardrailLayers): Guardrails {
  const issues: Issue[] = [];
  const set = LAYERS.flatMap((name) => {
    const layer = layers[name];
    return layer ? [{ ...layer, ...hostRules(name, layer, issues) }] : [];
  });
  const merged: Guardrails = { ...DEFAULT_GUARDRAILS, ...mergeHosts(set), ...mergeSwitches(set) };
  for (const key of Object.keys(STRICTER) as (keyof Limits)[]) {
    const values = set.flatMap((layer) => layer[key] ?? []);
    if (values.length > 0) merged[key] = STRICTER[key](...values);
  }
  // Two layers that are each sound may contradict each other: that is said, not bent into shape.
  issues.push(...contradictions(merged).map(({ path, message }) => ({ path: `guardrails.${path}`, message })));
  if (issues.length > 0) throw validationFailed("The guardrails", issues, "are");
  return merged;
}

type HostRules = { allowed_domains: string[] | null; blocked_domains: string[] | undefined };

function hostRules(layerName: LayerName, layer: GuardrailsInput, issues: Issue[]): HostRules {
  const canonical = (field: "allowed_domains" | "blocked_domains") =>
    layer[field]?.flatMap((text, i) => {
      const rule = text === DEFAULT_LIST ? text : parseHostRule(text);
      if (rule !== null) return [rule];
      const within = layerName === "request" ? "" : `${layerName}.`;
      issues.push({ path: `${within}guardrails.${field}[${i}]`, message: `"${text}" is not a host or *.host that a URL can have` });
      return [];
    });
  const allowed = canonical("allowed_domains") ?? null;
  const blocked = canonical("blocked_domains");
  return { allowed_domains: allowed, blocked_domains: allowed === null ? blocked : undefined };
}

function mergeHosts(set: readonly HostRules[]): Pick<Guardrails, "allowed_domains" | "blocked_domains"> {
  const allowed = set.flatMap((layer) => (layer.allowed_domains ? [layer.allowed_domains] : []));
  const blocked = set.flatMap((layer) => (layer.blocked_domains ? [layer.blocked_domains] : []));
  return {
    allowed_domains: allowed.length > 0 ? allowed.reduce(intersectRules, allowed[0] as string[]) : null,
    blocked_domains: blocked.length > 0 ? simplifyRules(blocked.flat()) : allowed.length > 0 ? [] : [...DEFAULT_GUARDRAILS.blocked_domains],
  };
}

type Switches = Pick<Guardrails, "allow_private_networks" | "enable_llm_action_check" | "goal_type" | "stuck_applies_to">;

function mergeSwitches(set: readonly GuardrailsInput[]): Switches {
  const allow = set.flatMap((layer) => layer.allow_private_networks ?? []);
  const check = set.flatMap((layer) => layer.enable_llm_action_check ?? []);
  const goals = set.flatMap((layer) => layer.goal_type ?? []);
  return {
    allow_private_networks: allow.length > 0 ? allow.every(Boolean) : DEFAULT_GUARDRAILS.allow_private_networks,
    enable_llm_action_check: check.length > 0 ? check.some(Boolean) : DEFAULT_GUARDRAILS.enable_llm_action_check,
    goal_type: GOAL_TYPES.find((each) => goals.includes(each)) ?? DEFAULT_GUARDRAILS.goal_type,
    stuck_applies_to: set.some(bindsAuthors) ? "all" : DEFAULT_GUARDRAILS.stuck_applies_to,
  };
}

/** Who sets a limit means it for all that the run does, unless they say otherwise; the defaults are meant for what is improvised. */
const bindsAuthors = (layer: GuardrailsInput): boolean =>
  layer.stuck_applies_to === undefined
    ? Object.entries(layer).some(([name, value]) => name.startsWith("stuck_") && value !== undefined)
    : layer.stuck_applies_to === "all";
