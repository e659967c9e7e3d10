/** The actions as tools: what the model is told of them, and its calls → actions ready to be performed. */
import { z } from "zod";
import { ACTION_PARAMS, type Action, SELECTOR_RULE, type SimpleActionName } from "../../shared/action.ts";
import { toIssues } from "../../shared/errors.ts";
import { type Verify, VerifySchema } from "../../shared/playbook.ts";
import type { ToolSpec } from "../llm/llm.ts";

const SELECTOR = 'As the page map shows it behind →, or CSS, text=words, role=button[name="Save"]';
const selector = z.string().min(1).max(2000).describe(SELECTOR);

/** What an agent may do to a page. `evaluate` is the author's alone. */
const AGENT_ACTIONS = ["goto", "click", "key_press", "scroll", "extract", "wait_for", "select"] as const satisfies SimpleActionName[];
type AgentAction = (typeof AGENT_ACTIONS)[number];

const ABOUT: Record<AgentAction, string> = {
  goto: "Opens an address in the current tab",
  click: "Clicks an element",
  key_press:
    "Types text into a field, replacing what it holds, and then presses a key such as Enter. A secret is typed by credential_ref, the name of a credential; its value is never shown",
  scroll: "Scrolls the page, or an element",
  extract: "Reads an element's text, html, value or markdown. What was extracted is part of the run's result",
  wait_for: "Waits until an element is visible, hidden, attached or detached",
  select: "Chooses an option of a select field, by its label or value",
};

const inputOf = (name: AgentAction) => {
  const rule = SELECTOR_RULE[name];
  const shape = ACTION_PARAMS[name].shape;
  if (rule === "none") return z.strictObject(shape);
  return z.strictObject({ selector: rule === "required" ? selector : selector.optional(), ...shape });
};

const sequenceOf = (names: readonly AgentAction[]) =>
  z.strictObject({
    actions: z
      .array(z.strictObject({ action: z.enum(names), params: z.record(z.string(), z.unknown()) }))
      .min(1)
      .max(20),
  });
const SequenceSchema = sequenceOf(AGENT_ACTIONS);
const GetDomSchema = z.strictObject({
  selector: selector.optional(),
  query: z.string().min(1).max(200).optional().describe("Words: the lines of the page that hold one of them"),
});
const EvidenceSchema = z.strictObject({
  expect_url_contains: z.string().min(1).max(2000).optional(),
  expect_text_on_page: z.string().min(1).max(2000).optional(),
  expect_element_visible: selector.optional(),
  expect_element_gone: selector.optional(),
});
const DoneSchema = EvidenceSchema.extend({
  summary: z.string().min(1).max(4000).describe("What was done, and what came of it, for the user"),
  data: z.unknown().optional().describe("The result as the output schema has it"),
});
const ReasonSchema = z.strictObject({ reason: z.string().min(1).max(2000) });

/** How long the page may take to show the evidence. */
const EVIDENCE_MS = 2_000;

const schema = (type: z.ZodType): Record<string, unknown> => {
  const { $schema: _, ...rest } = z.toJSONSchema(type, { io: "input" });
  return rest;
};

const tool = (name: string, description: string, type: z.ZodType): ToolSpec => ({ name, description, parameters: schema(type) });

type Offer = {
  outputSchema: Record<string, unknown> | null;
  /** A playbook's step is being repaired, and others follow it. */
  canTakeOver: boolean;
  actions?: readonly SimpleActionName[];
};

/** In a fixed order; of the actions only those that the work is for. */
export function agentTools({ outputSchema, canTakeOver, actions = AGENT_ACTIONS }: Offer): ToolSpec[] {
  const offered = AGENT_ACTIONS.filter((name) => actions.includes(name));
  const done = tool(
    "done",
    "Ends the work as done. Needs evidence on the current page, as expect_…, which is checked; a summary alone is refused",
    DoneSchema,
  );
  if (outputSchema) (done.parameters.properties as Record<string, unknown>).data = outputSchema;
  return [
    ...offered.map((name) => tool(name, ABOUT[name], inputOf(name))),
    tool(
      "execute_sequence",
      "Several actions one after the other; stops at the first that fails. `params` is what the action's own tool takes",
      sequenceOf(offered.toSorted()),
    ),
    tool(
      "get_dom",
      "Shows a part of the page in more detail: below an element, or lines that hold words. Without either: the whole page anew",
      GetDomSchema,
    ),
    tool("screenshot", "Shows a picture of what is visible", z.strictObject({})),
    ...(canTakeOver
      ? [
          tool(
            "take_over",
            "Only when the page has left the plan, so that the steps after this one cannot work as written: you then do all of them",
            ReasonSchema,
          ),
        ]
      : []),
    done,
    tool("give_up", "Ends the work as failed, when it cannot be done. Say what stands in the way", ReasonSchema),
  ];
}

export type Intent =
  | { kind: "act"; actions: Action[]; isSequence: boolean }
  | { kind: "get_dom"; selector: string | null; query: string | null }
  | { kind: "screenshot" }
  | { kind: "take_over"; reason: string }
  | { kind: "done"; summary: string; data: unknown; evidence: Verify | null }
  | { kind: "give_up"; reason: string }
  | { kind: "malformed"; why: string };

/** A call of the model, whatever it holds, → what it means. Never throws. */
export function parseCall(name: string, input: unknown): Intent {
  try {
    return intentOf(name === "type" || name === "text" ? "key_press" : name, input);
  } catch (error) {
    const issues = error instanceof z.ZodError ? toIssues(error) : [];
    const why = issues.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join("; ") || "its input is not valid";
    return { kind: "malformed", why };
  }
}

function intentOf(name: string, input: unknown): Intent {
  switch (name) {
    case "execute_sequence": {
      const { actions } = SequenceSchema.parse(input);
      return { kind: "act", isSequence: true, actions: actions.map(({ action, params }) => toAction(action, params)) };
    }
    case "get_dom": {
      const { selector = null, query = null } = GetDomSchema.parse(input ?? {});
      return { kind: "get_dom", selector, query };
    }
    case "screenshot":
      return { kind: "screenshot" };
    case "take_over":
    case "give_up":
      return { kind: name, ...ReasonSchema.parse(input) };
    case "done": {
      const { summary, data = null, ...expected } = DoneSchema.parse(input);
      const evidence = Object.keys(expected).length === 0 ? null : VerifySchema.parse({ ...expected, timeout_ms: EVIDENCE_MS });
      return { kind: "done", summary, data, evidence };
    }
    default: {
      const known = AGENT_ACTIONS.find((each) => each === name);
      if (!known) return { kind: "malformed", why: `there is no tool ${JSON.stringify(name.slice(0, 50))}` };
      return { kind: "act", isSequence: false, actions: [toAction(known, input)] };
    }
  }
}

function toAction(action: AgentAction, input: unknown): Action {
  const { selector, ...params } = inputOf(action).parse(input) as { selector?: string } & Record<string, unknown>;
  return {
    action,
    selector: selector === undefined ? null : { primary: selector, fallbacks: [], description: null },
    params: ACTION_PARAMS[action].parse(params),
    timeout_ms: null,
  } as Action;
}
