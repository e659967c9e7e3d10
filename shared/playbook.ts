/** A playbook as its author writes it (YAML or JSON), parsed. Placeholders are still in it; binding happens when a run starts. */
import { z } from "zod";
import {
  ACTION_PARAMS,
  ActionNameSchema,
  LLM_EXTRACT_PARAMS,
  SELECTOR_RULE,
  SelectorSchema,
  SIMPLE_ACTION_NAMES,
  type SimpleActionName,
} from "./action.ts";
import { flatIssues } from "./errors.ts";
import { contradictions, DEFAULT_LIMITS, GuardrailsInputSchema } from "./guardrails.ts";
import { PARAMETER_NAME, PLAYBOOK_ID } from "./ids.ts";

/** A placeholder is exactly this; every other brace is literal. */
export const PLACEHOLDER = /\{([a-z_][a-z0-9_.]*)\}/g;

/** Does the text hold a placeholder? Then the value that it stands for is checked once it is known, at binding. */
export const holdsPlaceholder = (value: unknown): boolean => typeof value === "string" && new RegExp(PLACEHOLDER.source).test(value);

/** The value of a parameter whose type is `int`, written as a number or as its digits; null: it is none. */
export function toWholeNumber(value: unknown): number | null {
  const number = typeof value === "string" && /^\s*[+-]?\d{1,16}\s*$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) ? number : null;
}

export const ParameterSchema = z
  .strictObject({
    name: z.string().regex(PARAMETER_NAME, "Expected lower-case letters, digits and underscores").max(100),
    type: z.enum(["string", "int", "selector_text"]).default("string"),
    description: z.string().max(1000).default(""),
    pattern: z
      .string()
      .max(500)
      .nullable()
      .default(null)
      .describe("Regular expression, case ignored, that finds the value in a directive; group 1 where there is one"),
    inject_into: z
      .string()
      .regex(/^steps\.\d+(\.[A-Za-z0-9_]+)+$/, "Expected steps.N.path, N from 0")
      .nullable()
      .default(null),
    required: z.boolean().default(true),
    default: z.union([z.string(), z.int()]).nullable().default(null),
  })
  .superRefine((parameter, context) => {
    if (parameter.type === "int" && parameter.default !== null && toWholeNumber(parameter.default) === null)
      context.addIssue({ code: "custom", path: ["default"], message: "Expected a whole number, as the type is int" });
    if (parameter.pattern === null) return;
    try {
      new RegExp(parameter.pattern, "i");
    } catch (cause) {
      context.addIssue({
        code: "custom",
        path: ["pattern"],
        message: `Not a regular expression: ${cause instanceof Error ? cause.message : ""}`,
      });
    }
  });
export type Parameter = z.infer<typeof ParameterSchema>;

/** As long as the idle clock: a step that is silent for longer would end its run, whatever it still allowed. */
const MAX_TIMEOUT_MS = 120_000;

export const VerifySchema = z.strictObject({
  expect_url_contains: z.string().min(1).max(2000).nullable().default(null),
  expect_element_visible: SelectorSchema.nullable().default(null),
  expect_element_gone: SelectorSchema.nullable().default(null),
  expect_text_on_page: z.string().min(1).max(2000).nullable().default(null),
  timeout_ms: z.int().min(0).max(MAX_TIMEOUT_MS).default(5000),
});
export type Verify = z.infer<typeof VerifySchema>;

const ParamsSchema = z.record(z.string(), z.unknown()).default({});
const TimeoutSchema = z.int().min(1).max(MAX_TIMEOUT_MS).nullable().default(null);

const SequenceItemSchema = z
  .strictObject({ action: z.enum(SIMPLE_ACTION_NAMES), selector: SelectorSchema.nullable().default(null), params: ParamsSchema })
  .superRefine(checkAction);
export type SequenceItem = z.infer<typeof SequenceItemSchema>;

export const StepSchema = z
  .strictObject({
    action: ActionNameSchema,
    params: ParamsSchema,
    selector: SelectorSchema.nullable().default(null),
    verify: VerifySchema.nullable().default(null),
    description: z.string().max(500).default(""),
    on_failure: z.enum(["llm_recover", "retry", "abort"]).default("llm_recover"),
    failure_message: z.string().min(1).max(2000).nullable().default(null),
    store_as: z.string().regex(PARAMETER_NAME, "Expected lower-case letters, digits and underscores").max(100).nullable().default(null),
    timeout_ms: TimeoutSchema,
    once: z.boolean().default(false),
  })
  .superRefine(checkAction);
export type Step = z.infer<typeof StepSchema>;

/** The actions of a `sequence` step. Trusts that the step was parsed. */
export const sequenceItems = (step: Step): SequenceItem[] =>
  z.strictObject({ actions: z.array(SequenceItemSchema) }).parse(step.params).actions;

export const PlaybookIdSchema = z.string().regex(PLAYBOOK_ID, "Expected 1 to 100 of a-z, 0-9, _ and -");

export const PlaybookSchema = z
  .strictObject({
    id: PlaybookIdSchema,
    name: z.string().min(1).max(200).optional(),
    description: z.string().max(5000).default(""),
    tags: z.array(z.string().min(1).max(100)).max(50).default([]),
    parameters: z.array(ParameterSchema).max(100).default([]),
    start_url: z.string().min(1).max(2048).nullable().default(null),
    guardrails: GuardrailsInputSchema.superRefine((set, context) => {
      for (const { path, message } of contradictions({ ...DEFAULT_LIMITS, ...set }))
        context.addIssue({ code: "custom", path: [path], message });
    }).default({}),
    steps: z.array(StepSchema).min(1).max(200),
  })
  .superRefine((playbook, context) => {
    const seen = new Set<string>();
    for (const [i, { name }] of playbook.parameters.entries()) {
      if (seen.has(name))
        context.addIssue({ code: "custom", path: ["parameters", i, "name"], message: `Parameter "${name}" is declared twice` });
      seen.add(name);
    }
  })
  .transform((playbook) => ({ ...playbook, name: playbook.name ?? playbook.id }))
  .meta({ id: "Playbook" });
export type Playbook = z.infer<typeof PlaybookSchema>;

/** The shape that `GET /playbooks` lists. */
export const PlaybookSummarySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string(),
    tags: z.array(z.string()),
    parameters: z.array(z.record(z.string(), z.unknown())),
    start_url: z.string().nullable(),
    steps: z.int(),
  })
  .meta({ id: "PlaybookSummary" });
export type PlaybookSummary = z.infer<typeof PlaybookSummarySchema>;

/** Checks params and selector against the action. Values that hold a placeholder pass here and are checked when they are bound. */
function checkAction(
  step: { action: string; params: Record<string, unknown>; selector: unknown },
  context: { addIssue(issue: { code: "custom"; path: PropertyKey[]; message: string }): void },
): void {
  const issue = (path: PropertyKey[], message: string) => context.addIssue({ code: "custom", path, message });
  if (step.action === "sequence") {
    if (step.selector !== null) issue(["selector"], "A sequence has no selector of its own");
    const parsed = z.strictObject({ actions: z.array(SequenceItemSchema).min(1).max(50) }).safeParse(step.params);
    for (const { path, message } of flatIssues(parsed.error?.issues ?? [])) issue(["params", ...path], message);
    return;
  }
  const name = step.action as SimpleActionName | "llm_extract";
  if (name !== "llm_extract" && SELECTOR_RULE[name] === "required" && step.selector === null)
    issue(["selector"], `${name} needs a selector`);
  if (name !== "llm_extract" && SELECTOR_RULE[name] === "none" && step.selector !== null) issue(["selector"], `${name} takes no selector`);
  const parsed = (name === "llm_extract" ? LLM_EXTRACT_PARAMS : ACTION_PARAMS[name]).safeParse(step.params);
  for (const each of parsed.error?.issues ?? []) {
    if (each.code === "unrecognized_keys") {
      for (const key of each.keys) issue(["params", key], "Unknown field");
    } else if (!(each.path[0] !== undefined && holdsPlaceholder(step.params[String(each.path[0])]))) {
      issue(["params", ...each.path], each.message);
    }
  }
}
