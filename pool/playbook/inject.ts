/** `inject_into`: the raw value of a parameter, set at a place of a step instead of written into text. */
import { counted } from "../../shared/counted.ts";
import type { Playbook } from "../../shared/playbook.ts";
import type { Value, Values } from "./template.ts";

/** `value` goes to `into` below the step; `from` leads to the `inject_into` that says so. */
export type Injection = { step: number; into: readonly string[]; value: Value; from: readonly PropertyKey[] };

/** Where a value may go. What a step is and does when it fails is the author's alone. */
const OPEN_FIELDS = ["params", "selector", "verify", "timeout_ms"];
const CLOSED_SEGMENTS = ["action", "expression", "__proto__", "constructor", "prototype"];

/** The injections of all parameters that have a value. Paths that lead nowhere are refused whether or not there is one. */
export function planInjections(
  playbook: Playbook,
  values: Values,
  issue: (path: readonly PropertyKey[], message: string) => void,
): Injection[] {
  return playbook.parameters.flatMap(({ name, inject_into }, i) => {
    if (inject_into === null) return [];
    const from = ["parameters", i, "inject_into"];
    const [, index, ...into] = inject_into.split(".");
    const step = Number(index);
    const closed = OPEN_FIELDS.includes(into[0] as string) ? into.find((segment) => CLOSED_SEGMENTS.includes(segment)) : into[0];
    if (step >= playbook.steps.length) {
      issue(from, `There is no step ${step}: the playbook has ${playbook.steps.length}, counted from 0`);
    } else if (closed !== undefined) {
      issue(from, `Nothing may be injected into "${closed}"; open are ${OPEN_FIELDS.join(", ")}`);
    } else if (Object.hasOwn(values, name)) {
      return [{ step, into, value: values[name] as Value, from }];
    }
    return [];
  });
}

/** Sets the value; objects that are missing on the way are made. Returns what is wrong with the path, or null. */
export function inject(target: Record<string, unknown>, into: readonly string[], value: Value): string | null {
  let place: unknown = target;
  for (const [i, segment] of into.entries()) {
    const last = i === into.length - 1;
    if (Array.isArray(place)) {
      const index = /^\d{1,4}$/.test(segment) ? Number(segment) : -1;
      if (index < 0 || index >= place.length)
        return `"${segment}" is not one of the ${counted(place.length, "entry", "entries")}, counted from 0`;
      if (last) place[index] = value;
      place = place[index];
    } else if (typeof place === "object" && place !== null) {
      const fields = place as Record<string, unknown>;
      if (last) fields[segment] = value;
      else fields[segment] ??= {};
      place = fields[segment];
    } else {
      return `"${segment}" leads into a value that has no fields`;
    }
  }
  return null;
}
