/** One step and the values it may use → actions ready to be performed, or everything that is wrong with them. */

import {
  ACTION_PARAMS,
  type Action,
  type ActionName,
  LLM_EXTRACT_PARAMS,
  type Selector,
  type SimpleActionName,
} from "../../shared/action.ts";
import { AppError, flatIssues } from "../../shared/errors.ts";
import { type Step, StepSchema, type Verify, VerifySchema } from "../../shared/playbook.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { type Injection, inject } from "./inject.ts";
import { addressProblem, judgeStep, keyProblem, scriptProblem, selectorProblem } from "./literals.ts";
import { mapStep, type Part, type Path, type PlaceKind, partsOf, withParsedItems } from "./places.ts";
import { fillSelector } from "./selector-template.ts";
import { cutTemplate, fill, placeholders, type Values } from "./template.ts";

/** Text to be typed that holds a credential: literal parts are bound, credentials are named. Their values are put in when it is typed. */
export type TypedText = readonly (string | { credential: string })[];

/** `typed` is what the action's `credential_ref` stands for, where that is more than one whole credential. */
export type BoundAction = { action: Action; typed: TypedText | null };

/** A step with every placeholder bound. */
export type BoundStep = {
  index: number;
  action: ActionName;
  /** One; for a sequence all of it. */
  actions: readonly BoundAction[];
  /** Of `llm_extract`: what a model is to find in the text that the action reads. In the words of `intent`. */
  prompt: string | null;
  description: string;
  /** The description in its author's and the caller's words alone: in place of a text that a page gave stands its name, `{title}`. */
  intent: string;
  verify: Verify | null;
  on_failure: Step["on_failure"];
  failure_message: string | null;
  store_as: string | null;
  once: boolean;
  /** What `evaluate` gets as `params`. */
  values: Values;
  /** Those of them that earlier steps have stored: a page's words. */
  stored: Values;
};

/** The names a step may use, and who gave their values: `own` the caller, `stored` a page. `late` ones have no value yet: an earlier step stores it. */
export type Scope = {
  own: Values;
  stored: Values;
  credentialNames: readonly string[];
  late: ReadonlySet<string>;
  /** Why a name has no value, for the error; null: that was reported before. */
  whyNot(name: string): string | null;
};

/** What a problem is about: the checks of a dry run bear these names. */
export type CheckName = "params" | "placeholders" | "credentials" | "selectors" | "steps";
export type Report = (check: CheckName, path: Path, message: string) => void;

const CREDENTIAL = /^credentials\.([a-z0-9_]+)$/;
/** Stands for a late value where only its place matters. */
const PROBE = "1";

/** Binds a step, or reports every reason why not and returns null. Paths lead from the step. With late names the result only proves that it binds. */
export function bindOne(index: number, step: Step, scope: Scope, injections: readonly Injection[], report: Report): BoundStep | null {
  let sound = true;
  const note: Report = (...problem) => {
    sound = false;
    report(...problem);
  };
  const written = withParsedItems(step);
  const { own, stored } = scope;
  const values: Values = { ...own, ...stored };
  const unbound = (): null => {
    if (injections.length === 0) judgeStep(written, report); // what needs no value is judged all the same, unless a value takes its place
    return null;
  };
  if (!allNamed(written, values, scope, report)) return unbound();

  const filled = fillStep(written, values, scope, note);
  const ready = injectAll(filled, injections, note);
  if (!sound || ready === null) return unbound();

  const templates = partsOf(written);
  const actions = partsOf(ready.step).map(({ part, path }, i) => {
    const late = (field: PropertyKey) => namesOf(templates[i]?.part.params[String(field)]).some((name) => scope.late.has(name));
    return bindAction({ part, path, typed: ready.typed[i] ?? null, timeout_ms: ready.step.timeout_ms, late }, scope, note);
  });
  const verify = ready.step.verify && checkVerify(ready.step.verify, note);
  if (!sound) return null;
  const { action, on_failure, failure_message, store_as, once } = ready.step;
  const { prompt } = ready.step.params;
  const said = (text: string) => fill(text, Object.fromEntries(Object.entries(own).filter(([name]) => !Object.hasOwn(stored, name))));
  return {
    index,
    action,
    actions: actions.flatMap((each) => each ?? []),
    prompt: action !== "llm_extract" ? null : prompt === filled.step.params.prompt ? said(String(written.params.prompt)) : String(prompt),
    description: ready.step.description || action,
    intent: said(written.description) || action,
    verify,
    on_failure,
    failure_message,
    store_as,
    once,
    values,
    stored,
  };
}

/** Is there a value, now or later, for each placeholder? Credentials stand in typed text only, and must have been given. */
function allNamed(step: Step, values: Values, { credentialNames, late, whyNot }: Scope, report: Report): boolean {
  let named = true;
  mapStep(step, (text, path, kind) => {
    for (const name of placeholders(text)) {
      const credential = CREDENTIAL.exec(name)?.[1];
      if (credential === undefined && (late.has(name) || Object.hasOwn(values, name))) continue;
      if (credential !== undefined && kind === "typed" && credentialNames.includes(credential)) continue;
      named = false;
      if (credential === undefined) {
        const why = whyNot(name);
        if (why !== null) report("placeholders", path, `{${name}} ${why}`);
      } else if (kind === "typed") report("credentials", path, `No credential "${credential}" was given`);
      else report("placeholders", path, `{${name}} may stand only in the text of a key_press`);
    }
    return text;
  });
  return named;
}

type Filled = { step: Step; typed: (TypedText | null)[] };

function fillStep(step: Step, values: Values, { late }: Scope, note: Report): Filled {
  const known: Values = { ...Object.fromEntries([...late].map((name) => [name, PROBE])), ...values };
  const change = (text: string, path: Path, kind: PlaceKind): string => {
    if (kind !== "selector") return fill(text, known);
    try {
      return fillSelector(text, known);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      note("selectors", path, error.message);
      return text;
    }
  };
  const filled = mapStep(step, change);
  const typed = partsOf(step).map(({ part }) => typedText(part, known));
  const parts = partsOf(filled).map(({ part }, i) => withoutCredentials(part, typed[i] ?? null));
  const [first] = parts;
  const params = step.action === "sequence" ? { actions: parts } : (first?.params ?? {});
  return { step: { ...filled, params }, typed };
}

/** The text of a key_press, cut where its credentials stand; null when it has none. */
function typedText({ action, params }: Part, values: Values): TypedText | null {
  if (action !== "key_press" || typeof params.text !== "string") return null;
  const pieces = cutTemplate(params.text).map((piece) => {
    if ("literal" in piece) return piece.literal;
    const credential = CREDENTIAL.exec(piece.name)?.[1];
    return credential === undefined ? fill(`{${piece.name}}`, values) : { credential };
  });
  return pieces.some((piece) => typeof piece !== "string") ? pieces : null;
}

/** In place of a text that holds credentials stands their names as `credential_ref`: what a log may show. */
function withoutCredentials(part: Part, typed: TypedText | null): Part {
  if (typed === null) return part;
  const { text: _, ...params } = part.params;
  return { ...part, params: { ...params, credential_ref: typedRef(typed) } };
}

const typedRef = (typed: TypedText): string =>
  typed
    .flatMap((piece) => (typeof piece === "string" ? [] : [piece.credential]))
    .join("+")
    .slice(0, 100);

/** What is really typed; `credential` gives the credential of a name, or throws. */
export const composeTyped = (typed: TypedText, credential: (name: string) => SecretValue): SecretValue =>
  SecretValue.join(typed.map((piece) => (typeof piece === "string" ? piece : credential(piece.credential))));

function injectAll(filled: Filled, injections: readonly Injection[], note: Report): Filled | null {
  if (injections.length === 0) return filled;
  const { description, failure_message, ...target } = structuredClone(filled.step);
  for (const { into, value } of injections) {
    const wrong = inject(target, into, value);
    if (wrong) note("params", into, `inject_into: ${wrong}`);
  }
  const parsed = StepSchema.safeParse(target);
  for (const { path, message } of flatIssues(parsed.error?.issues ?? [])) note("params", path, `After inject_into: ${message}`);
  return parsed.success ? { ...filled, step: withParsedItems({ ...parsed.data, description, failure_message }) } : null;
}

const namesOf = (template: unknown): string[] => (typeof template === "string" ? placeholders(template) : []);

/** `late`: does the value of this param depend on a text that is not stored yet? */
type Binding = { part: Part; path: Path; typed: TypedText | null; timeout_ms: number | null; late(field: PropertyKey): boolean };

function bindAction({ part, path, typed, timeout_ms, late }: Binding, { credentialNames }: Scope, note: Report): BoundAction | null {
  if (part.action === "llm_extract") return bindLlmExtract({ part, path, timeout_ms, late }, note);
  const action = part.action as SimpleActionName;
  const at = (...field: PropertyKey[]) => [...path, "params", ...field];
  if (part.selector) checkSelector(part.selector, [...path, "selector"], note);
  const parsed = ACTION_PARAMS[action].safeParse(part.params);
  for (const issue of flatIssues(parsed.error?.issues ?? [])) {
    if (!late(issue.path[0] ?? "")) note("steps", at(...issue.path), issue.message);
  }
  if (!parsed.success) return null;
  const params = parsed.data as { url?: string; credential_ref?: string; key?: string; expression?: string };
  const { url, key, expression } = params;
  const say = (field: PropertyKey, problem: string | null) => problem !== null && note("steps", at(field), problem);
  if (url !== undefined && !late("url")) say("url", addressProblem(url));
  if (key !== undefined && !late("key")) say("key", keyProblem(key));
  if (expression !== undefined) say("expression", scriptProblem(expression));
  const ref = typed === null && !late("credential_ref") ? params.credential_ref : undefined;
  if (ref !== undefined && !credentialNames.includes(ref)) note("credentials", at("credential_ref"), `No credential "${ref}" was given`);
  return { action: { action, selector: part.selector, params, timeout_ms } as Action, typed: typed?.length === 1 ? null : typed };
}

/** The text that the model is asked about is read as `extract` reads it; without a selector that of the page. */
function bindLlmExtract({ part, path, timeout_ms, late }: Omit<Binding, "typed">, note: Report): BoundAction | null {
  const selector = part.selector ?? { primary: "body", fallbacks: [], description: null };
  checkSelector(selector, [...path, "selector"], note);
  const parsed = LLM_EXTRACT_PARAMS.safeParse(part.params);
  for (const issue of flatIssues(parsed.error?.issues ?? [])) {
    if (!late(issue.path[0] ?? "")) note("steps", [...path, "params", ...issue.path], issue.message);
  }
  return parsed.success ? { action: { action: "extract", selector, params: { mode: "markdown" }, timeout_ms }, typed: null } : null;
}

function checkVerify(verify: Verify, note: Report): Verify {
  const parsed = VerifySchema.safeParse(verify);
  for (const { path, message } of flatIssues(parsed.error?.issues ?? [])) note("steps", ["verify", ...path], message);
  for (const name of ["expect_element_visible", "expect_element_gone"] as const) {
    const selector = verify[name];
    if (selector) checkSelector(selector, ["verify", name], note);
  }
  return parsed.data ?? verify;
}

function checkSelector({ primary, fallbacks }: Selector, path: Path, note: Report): void {
  const say = (at: Path, problem: string | null) => problem !== null && note("selectors", at, problem);
  say([...path, "primary"], selectorProblem(primary));
  for (const [i, fallback] of fallbacks.entries()) say([...path, "fallbacks", i], selectorProblem(fallback));
}
