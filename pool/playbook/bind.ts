/** A playbook and the values of one run, joined. Whatever can be known to be wrong is refused here, before the run starts. */
import { AppError, formatPath, type Issue, validationFailed } from "../../shared/errors.ts";
import type { Playbook, Step } from "../../shared/playbook.ts";
import { type BoundStep, bindOne, type CheckName, type Report, type Scope } from "./bind-step.ts";
import { type Injection, planInjections } from "./inject.ts";
import { addressProblem } from "./literals.ts";
import { lineInPlaybook } from "./load.ts";
import { bindParams } from "./params.ts";
import { mapStep, partsOf, withParsedItems } from "./places.ts";
import { fill, placeholders, type Value, type Values } from "./template.ts";

/** A playbook that may start: its parameters have values, and every step is known to bind. */
export type BoundPlaybook = {
  readonly playbook: Playbook;
  readonly start_url: string | null;
  /** Parameters that have a value, by name. Bound with these as `params`, the playbook binds the same again. */
  readonly params: Values;
  /** These, and `directive`. No credential is ever among them. */
  readonly values: Values;
  readonly injections: readonly Injection[];
  readonly credentialNames: readonly string[];
  /** What an author should know and no run needs to stop for. */
  readonly warnings: readonly string[];
};

/** `start_url`: the request's, templated like the playbook's own, whose place it takes. */
export type BindInput = { params?: Values; directive?: string | null; start_url?: string | null; credentialNames: readonly string[] };
export type BindProblem = Issue & { check: CheckName };

/** @throws VALIDATION_FAILED: `details.issues` names everything that is wrong, not only the first. */
export function bindPlaybook(playbook: Playbook, input: BindInput): BoundPlaybook {
  const { bound, problems } = tryBind(playbook, input);
  if (problems.length > 0) {
    throw validationFailed(
      `Playbook "${playbook.id}"`,
      problems.map(({ check: _, ...issue }) => issue),
    );
  }
  return bound;
}

/** As `bindPlaybook`, with what is wrong as a list. */
export function tryBind(
  playbook: Playbook,
  { params, directive, start_url: requested = null, credentialNames }: BindInput,
): { bound: BoundPlaybook; problems: BindProblem[] } {
  const problems: BindProblem[] = [];
  const report: Report = (check, path, message) => {
    const line = path[0] === "params" ? undefined : lineInPlaybook(playbook, path);
    problems.push({ check, path: formatPath(path), message, ...(line === undefined ? {} : { line }) });
  };
  const { values, warnings } = bindParams(playbook, { params, directive }, (path, message) => report("params", path, message));
  const injections = planInjections(playbook, values, (path, message) => report("params", path, message));
  const own_url = bindStartUrl(playbook, values, report);
  const reportRequested: Report = (check, path, message) => problems.push({ check, path: formatPath(path), message });
  const start_url = requested === null ? own_url : bindStartUrl({ ...playbook, start_url: requested }, values, reportRequested);
  const late = new Set<string>();
  for (const [index, step] of playbook.steps.entries()) {
    const below: Report = (check, path, message) => report(check, ["steps", index, ...path], message);
    const scope: Scope = { own: values, stored: {}, credentialNames, late, whyNot: (name) => whyNot(playbook, index, name) };
    bindOne(index, step, scope, injectionsOf(injections, index), below);
    warnings.push(...lookalikes(step, index));
    if (step.store_as === null) continue;
    if (yieldsText(step)) late.add(step.store_as);
    else below("steps", ["store_as"], `A ${step.action} step has no text to store; extract, llm_extract and evaluate have`);
  }
  const own = Object.fromEntries(
    playbook.parameters.flatMap(({ name }) => (Object.hasOwn(values, name) ? [[name, values[name] as Value]] : [])),
  );
  return { bound: { playbook, start_url, params: own, values, injections, credentialNames, warnings }, problems };
}

/**
 * Binds a step once all it needs is known: just before it runs, with what earlier steps have stored.
 * @throws VALIDATION_FAILED: a stored value is missing, or does not fit where it is used.
 */
export function bindStep(bound: BoundPlaybook, index: number, stored: Values): BoundStep {
  const { playbook, values, injections, credentialNames } = bound;
  const issues: Issue[] = [];
  const scope: Scope = {
    own: values,
    stored,
    credentialNames,
    late: new Set(),
    whyNot: () => "has no value: the step that stores it found no text",
  };
  const step = bindOne(index, playbook.steps[index] as Step, scope, injectionsOf(injections, index), (_check, path, message) =>
    issues.push({ path: formatPath(path), message }),
  );
  if (step) return step;
  const [first] = issues;
  throw new AppError("VALIDATION_FAILED", `It cannot be bound: ${first?.path}: ${first?.message}`, { details: { issues } });
}

/** Braces that were meant for a placeholder and are none. They may be right, so that is only a warning. */
function lookalikes(step: Step, index: number): string[] {
  const warnings: string[] = [];
  mapStep(withParsedItems(step), (text, path) => {
    for (const [meant] of text.matchAll(/\{[A-Za-z_][\w.]*\}/g)) {
      if (placeholders(meant).length === 0)
        warnings.push(`${formatPath(["steps", index, ...path])}: ${meant} is no placeholder, their names are lower-case`);
    }
    return text;
  });
  return warnings;
}

const injectionsOf = (injections: readonly Injection[], index: number) => injections.filter(({ step }) => step === index);

/** Has the step a text, to store and to show? */
export const yieldsText = (step: Step): boolean =>
  partsOf(step).some(({ part: { action } }) => action === "extract" || action === "evaluate" || action === "llm_extract");

function whyNot(playbook: Playbook, index: number, name: string): string | null {
  const storing = playbook.steps.findIndex(({ store_as }) => store_as === name);
  if (storing >= index)
    return `is used in step ${index + 1}, but ${storing === index ? "only that step itself" : `step ${storing + 1}`} stores it`;
  const parameter = playbook.parameters.find((each) => each.name === name);
  if (parameter) return parameter.required ? null : "stands for a parameter that has no value"; // that a required one has none is said of the parameter
  if (name === "directive") return "has no value: the request has no directive";
  return "is unknown: no parameter and no store_as has this name";
}

function bindStartUrl(
  { start_url, parameters }: Pick<Playbook, "start_url" | "parameters">,
  values: Values,
  report: Report,
): string | null {
  if (start_url === null) return null;
  const missing = placeholders(start_url).filter((name) => !Object.hasOwn(values, name));
  for (const name of missing) {
    const reported = parameters.some((each) => each.name === name && each.required);
    if (!reported) report("placeholders", ["start_url"], `{${name}} is no parameter that has a value`);
  }
  const bound = fill(start_url, values);
  const problem = missing.length === 0 ? addressProblem(bound) : null;
  if (problem !== null) report("steps", ["start_url"], problem);
  return bound;
}
