/** All places of a step that may hold a placeholder. One walk serves the check of names and the filling in of values. */
import type { Selector } from "../../shared/action.ts";
import { type SequenceItem, type Step, sequenceItems } from "../../shared/playbook.ts";
import { mapStrings } from "./template.ts";

export type Path = readonly PropertyKey[];

/** `text`: plain · `selector`: escaped for where the value stands · `typed`: text of a `key_press`, the one place for credentials. */
export type PlaceKind = "text" | "selector" | "typed";
export type Change = (text: string, path: Path, kind: PlaceKind) => string;

/** What a step and an item of a sequence have in common. */
export type Part = Pick<SequenceItem, "selector" | "params"> & { action: Step["action"] };

/** A sequence keeps its items as they were written, checked but not parsed. Here they become what they mean, once, before any value is in them. */
export const withParsedItems = (step: Step): Step =>
  step.action === "sequence" ? { ...step, params: { actions: sequenceItems(step) } } : step;

const itemsOf = ({ params }: Pick<Part, "params">) => params.actions as SequenceItem[];

/** The step with `change` applied to every text in it that is templated; `evaluate.expression`, `store_as` and names of fields are not. Paths lead from the step, whose items are parsed. */
export function mapStep(step: Step, change: Change): Step {
  const { verify } = step;
  return {
    ...step,
    ...mapPart(step, [], change),
    description: change(step.description, ["description"], "text"),
    failure_message: step.failure_message && change(step.failure_message, ["failure_message"], "text"),
    verify: verify && {
      ...verify,
      expect_url_contains: verify.expect_url_contains && change(verify.expect_url_contains, ["verify", "expect_url_contains"], "text"),
      expect_text_on_page: verify.expect_text_on_page && change(verify.expect_text_on_page, ["verify", "expect_text_on_page"], "text"),
      expect_element_visible: mapSelector(verify.expect_element_visible, ["verify", "expect_element_visible"], change),
      expect_element_gone: mapSelector(verify.expect_element_gone, ["verify", "expect_element_gone"], change),
    },
  } as Step;
}

/** The actions of a step with their paths: one, or those of its sequence. */
export function partsOf(step: Step): { part: Part; path: Path }[] {
  if (step.action !== "sequence") return [{ part: step, path: [] }];
  return itemsOf(step).map((part, i) => ({ part, path: ["params", "actions", i] }));
}

function mapPart(part: Part, path: Path, change: Change): Pick<Part, "selector" | "params"> {
  const selector = mapSelector(part.selector, [...path, "selector"], change);
  const at = [...path, "params"];
  if (part.action === "evaluate") return { selector, params: part.params };
  if (part.action === "sequence") {
    const items = itemsOf(part).map((item, i) => ({ ...item, ...mapPart(item, [...at, "actions", i], change) }));
    return { selector, params: { actions: items } };
  }
  const params = mapStrings(part.params, (text, below) =>
    change(text, [...at, ...below], part.action === "key_press" && below[0] === "text" ? "typed" : "text"),
  );
  return { selector, params: params as Part["params"] };
}

function mapSelector(selector: Selector | null, path: Path, change: Change): Selector | null {
  return (
    selector && {
      primary: change(selector.primary, [...path, "primary"], "selector"),
      fallbacks: selector.fallbacks.map((each, i) => change(each, [...path, "fallbacks", i], "selector")),
      description: selector.description && change(selector.description, [...path, "description"], "text"),
    }
  );
}
