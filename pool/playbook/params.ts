/** Values of a playbook's parameters: as given, else as the directive says, else the default. */
import { type Parameter, type Playbook, toWholeNumber } from "../../shared/playbook.ts";
import { extractParams } from "./match.ts";
import type { Value, Values } from "./template.ts";

type Given = { params?: Values; directive?: string | null };
type OnIssue = (path: readonly PropertyKey[], message: string) => void;

/**
 * Each parameter with its value, in its declared type; one that is optional and has none is left out. `directive` is there under its own
 * name when one was given. What is wrong goes to `issue`; `warnings` say what the directive did not.
 */
export function bindParams(
  playbook: Playbook,
  { params = {}, directive = null }: Given,
  issue: OnIssue,
): { values: Values; warnings: string[] } {
  const declared = new Set(playbook.parameters.map(({ name }) => name));
  for (const name of Object.keys(params)) {
    if (!declared.has(name)) issue(["params", name], `Playbook "${playbook.id}" has no such parameter${listed([...declared])}`);
  }
  const found = directive === null ? {} : extractParams(playbook, directive, ({ name }) => !Object.hasOwn(params, name));
  const values: Record<string, Value> = Object.create(null); // a parameter may bear any name
  if (directive !== null) values.directive = directive;
  const warnings: string[] = [];
  for (const parameter of playbook.parameters) {
    const { name, required, default: fallback } = parameter;
    const value = Object.hasOwn(params, name) ? params[name] : Object.hasOwn(found, name) ? found[name] : fallback;
    delete values[name]; // a parameter called "directive" is that parameter
    if (value === null || value === undefined) {
      if (required) issue(["params", name], directive === null ? "Required" : "Required; the directive does not say it either");
      continue;
    }
    if (directive !== null && value === fallback && !Object.hasOwn(params, name) && !Object.hasOwn(found, name)) {
      warnings.push(`Parameter "${name}" is not in the directive; its default is used`);
    }
    const typed = toType(parameter, value);
    if (typed === null) issue(["params", name], `Expected a whole number${typeof value === "boolean" ? ", got true or false" : ""}`);
    else values[name] = typed;
  }
  return { values, warnings };
}

/** The value in the parameter's type; null when it is none of it. */
function toType({ type }: Parameter, value: Value): string | number | null {
  return type === "int" ? toWholeNumber(value) : String(value);
}

const listed = (names: string[]): string => (names.length > 0 ? `; it has ${names.join(", ")}` : "; it has none");
