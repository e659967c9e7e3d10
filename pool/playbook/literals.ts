/**
 * What an author wrote out, without a placeholder, and what is wrong with it: selectors, keys, scripts, addresses. It needs no value, and none of the rest
 * of its playbook, so it is told together with whatever else is wrong.
 */
import { AppError } from "../../shared/errors.ts";
import { holdsPlaceholder } from "../../shared/playbook.ts";
import { webUrlProblem } from "../../shared/web-url.ts";
import { parseKeys } from "../actions/keys.ts";
import { checkScript } from "../actions/script-syntax.ts";
import { parseSelector } from "../actions/selector-syntax.ts";
import type { Path } from "./places.ts";

/** The checks of a dry run that a literal can fail. */
export type NoteLiteral = (check: "selectors" | "steps", path: Path, message: string) => void;

/** What only a browser can judge shows at the first look; all else is said here. */
export const selectorProblem = (selector: string): string | null => problemOf(() => parseSelector(selector));
export const keyProblem = (key: string): string | null => problemOf(() => parseKeys(key));
export const scriptProblem = (expression: string): string | null => problemOf(() => checkScript(expression));
/** The browser's own schemes and files are no place for a playbook, but for an empty page. */
export const addressProblem = (text: string): string | null => (URL.parse(text)?.href === "about:blank" ? null : webUrlProblem(text));

function problemOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    return error instanceof AppError ? error.message : `Not a script: ${(error as Error).message}`;
  }
}

/** As many as a playbook may have, of each; what is beyond is complained of as a whole. */
const [MAX_STEPS, MAX_ITEMS, MAX_FALLBACKS] = [200, 50, 20];
/** Of what is longer the schema complains; nobody looks into it. */
const MAX_CHARS = { selector: 2_000, address: 8_192, key: 50, script: 100_000 };

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});
const list = (value: unknown, most: number): unknown[] => (Array.isArray(value) ? value.slice(0, most) : []);

/** Judges a playbook that is not one, or not yet known to be: every field may be anything. Leaves out what a parameter is put in the place of. */
export function judgeLiterals(playbook: unknown, note: NoteLiteral): void {
  const { steps, start_url, parameters } = fields(playbook);
  const replaced = list(parameters, 100).flatMap((each) => {
    const { inject_into } = fields(each);
    return typeof inject_into === "string" ? inject_into : [];
  });
  const unlessReplaced: NoteLiteral = (check, path, message) => {
    if (!replaced.some((target) => `${path.join(".")}.`.startsWith(`${target}.`))) note(check, path, message);
  };
  judge("address", start_url, (message) => note("steps", ["start_url"], message));
  for (const [i, step] of list(steps, MAX_STEPS).entries())
    judgeStep(step, (check, path, message) => unlessReplaced(check, ["steps", i, ...path], message));
}

/** The same for one step. Paths lead from it. */
export function judgeStep(step: unknown, note: NoteLiteral): void {
  const { params, verify } = fields(step);
  judgePart(step, [], note);
  for (const [i, item] of list(fields(params).actions, MAX_ITEMS).entries()) judgePart(item, ["params", "actions", i], note);
  for (const name of ["expect_element_visible", "expect_element_gone"]) judgeSelector(fields(verify)[name], ["verify", name], note);
}

function judgePart(part: unknown, path: Path, note: NoteLiteral): void {
  const { action, selector, params } = fields(part);
  const { url, key, expression } = fields(params);
  const say = (field: string) => (message: string) => note("steps", [...path, "params", field], message);
  judgeSelector(selector, [...path, "selector"], note);
  if (action === "goto") judge("address", url, say("url"));
  if (action === "key_press") judge("key", key, say("key"));
  if (action === "evaluate") judge("script", expression, say("expression"));
}

/** A text alone is its chain's `primary`. */
function judgeSelector(selector: unknown, path: Path, note: NoteLiteral): void {
  const { primary, fallbacks } = typeof selector === "string" ? { primary: selector, fallbacks: [] } : fields(selector);
  judge("selector", primary, (message) => note("selectors", [...path, "primary"], message));
  for (const [i, each] of list(fallbacks, MAX_FALLBACKS).entries())
    judge("selector", each, (message) => note("selectors", [...path, "fallbacks", i], message));
}

const PROBLEMS = { selector: selectorProblem, address: addressProblem, key: keyProblem, script: scriptProblem };

/** A script has no placeholders, its braces are its own. */
function judge(kind: keyof typeof PROBLEMS, text: unknown, say: (message: string) => void): void {
  if (typeof text !== "string" || text === "" || text.length > MAX_CHARS[kind]) return;
  const message = kind !== "script" && holdsPlaceholder(text) ? null : PROBLEMS[kind](text);
  if (message !== null) say(message);
}
