/** One thing done to a page. The same shapes serve a playbook's step, the agent's tools, the router and the logs. */
import { z } from "zod";

export const SelectorSchema = z
  .union([
    z
      .string()
      .min(1)
      .max(2000)
      .transform((primary) => ({ primary, fallbacks: [] as string[], description: null as string | null })),
    z.strictObject({
      primary: z.string().min(1).max(2000),
      fallbacks: z.array(z.string().min(1).max(2000)).max(20).default([]),
      description: z.string().max(500).nullable().default(null),
    }),
  ])
  .meta({ id: "Selector", description: "A selector, or a chain: `primary` first, then each of `fallbacks`" });
/** A chain of selectors: `primary` first, then the fallbacks in order. */
export type Selector = { primary: string; fallbacks: string[]; description: string | null };

const url = z.string().min(1).max(8192);
const text = z.string().max(100_000);

/** Parameters of each action, once every placeholder has its value. `credential_ref` names a credential; its value is never here. */
export const ACTION_PARAMS = {
  goto: z.strictObject({ url }),
  click: z.strictObject({
    button: z.enum(["left", "right", "middle"]).default("left"),
    click_count: z.coerce.number().int().min(1).max(3).default(1),
  }),
  key_press: z
    .strictObject({
      text: text.optional(),
      key: z.string().min(1).max(50).optional(),
      credential_ref: z.string().min(1).max(100).optional(),
    })
    .refine((p) => p.text !== undefined || p.key !== undefined || p.credential_ref !== undefined, "Needs text, key or credential_ref")
    .refine((p) => p.text === undefined || p.credential_ref === undefined, "Takes text or credential_ref, not both"),
  scroll: z.strictObject({
    direction: z.enum(["up", "down", "left", "right"]).default("down"),
    amount: z.coerce.number().int().min(1).max(100_000).default(600).describe("CSS pixels"),
  }),
  wait_for: z.strictObject({ state: z.enum(["visible", "hidden", "attached", "detached"]).default("visible") }),
  select: z
    .strictObject({ value: text.optional(), label: text.optional() })
    .refine((p) => (p.value === undefined) !== (p.label === undefined), "Needs value or label, not both"),
  extract: z.strictObject({ mode: z.enum(["text", "html", "value", "markdown"]).default("text") }),
  evaluate: z.strictObject({ expression: z.string().min(1).max(100_000) }),
} as const;

/** Parameters of `llm_extract`: what to find in the text. */
export const LLM_EXTRACT_PARAMS = z.strictObject({ prompt: z.string().trim().min(1).max(4000) });

export type SimpleActionName = keyof typeof ACTION_PARAMS;
/** What a step may be besides one action: several of them, or a text that a model reads out of the page. */
export const COMPOSED_ACTIONS = ["sequence", "llm_extract"] as const;
export type ActionName = SimpleActionName | (typeof COMPOSED_ACTIONS)[number];
export const SIMPLE_ACTION_NAMES = Object.keys(ACTION_PARAMS) as [SimpleActionName, ...SimpleActionName[]];
export const ACTION_NAMES = [...SIMPLE_ACTION_NAMES, ...COMPOSED_ACTIONS] as [ActionName, ...ActionName[]];
export const ActionNameSchema = z.enum(ACTION_NAMES);

/** Which actions must, may or cannot have a selector. */
export const SELECTOR_RULE: Record<SimpleActionName, "required" | "optional" | "none"> = {
  goto: "none",
  click: "required",
  key_press: "optional",
  scroll: "optional",
  wait_for: "required",
  select: "required",
  extract: "required",
  evaluate: "none",
};

export type ActionParams<N extends SimpleActionName = SimpleActionName> = z.infer<(typeof ACTION_PARAMS)[N]>;

/** An action ready to be performed: every placeholder bound. `timeout_ms` null: the action's default (navigation 15 s, others 5 s). */
export type Action = {
  [N in SimpleActionName]: { action: N; selector: Selector | null; params: ActionParams<N>; timeout_ms: number | null };
}[SimpleActionName];

export const NAVIGATION_TIMEOUT_MS = 15_000;
export const ACTION_TIMEOUT_MS = 5_000;

/** Who wants an action: whoever wrote the playbook or posted the run, a recovery of a step, or the agent. */
export type Origin = "author" | "recovery" | "agent";
