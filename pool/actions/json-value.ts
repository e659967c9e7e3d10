/** What a script returned, as JSON text. Chrome serialises it, so that a page which has changed `JSON` or `toJSON` has no say. */
import type { Protocol } from "puppeteer-core";
import { ActionError } from "./action-error.ts";

type Deep = Protocol.Runtime.DeepSerializedValue;

/** Strings as they are, everything else as JSON; null for `undefined`. @throws ActionError naming what JSON cannot hold, and where */
export function toJson(value: Deep | undefined): string | null {
  if (!value || value.type === "undefined") return null;
  const plain = toPlain(value, "the result", { done: new Map(), open: new Set() });
  return typeof plain === "string" ? plain : JSON.stringify(plain);
}

/** Objects by Chrome's number for them: one that stands in two places is written out once only. */
type Seen = { done: Map<number, unknown>; open: Set<number> };

function toPlain(value: Deep, place: string, seen: Seen): unknown {
  const reference = value.weakLocalObjectReference;
  if (reference !== undefined) {
    if (seen.open.has(reference)) throw new ActionError(`Cannot evaluate: ${place} contains itself, which JSON cannot show`);
    if (value.value === undefined && seen.done.has(reference)) return seen.done.get(reference);
    seen.open.add(reference);
  }
  const plain = convert(value, place, seen);
  if (reference !== undefined) {
    seen.open.delete(reference);
    seen.done.set(reference, plain);
  }
  return plain;
}

function convert({ type, value }: Deep, place: string, seen: Seen): unknown {
  switch (type as string) {
    case "undefined":
    case "null":
      return null;
    case "string":
    case "boolean":
      return value;
    case "number":
      return typeof value === "number" ? value : value === "-0" ? 0 : null; // NaN and Infinity, as JSON.stringify has them
    case "date":
      return value;
    case "array":
    case "typedarray":
    case "nodelist":
    case "htmlcollection":
      if (Array.isArray(value)) return value.map((each: Deep, i) => toPlain(each, `${place}[${i}]`, seen));
      break;
    case "object":
      if (Array.isArray(value)) return ofEntries(value, place, seen);
      break;
  }
  throw new ActionError(`Cannot evaluate: ${place} is ${NAMES[type] ?? `a ${type}`}, which JSON cannot show; return plain values`);
}

const NAMES: Record<string, string> = {
  node: "a DOM node",
  window: "the window",
  bigint: "a BigInt",
  error: "an Error",
  array: "too deep",
  object: "too deep",
};

function ofEntries(entries: [string | Deep, Deep][], place: string, seen: Seen): Record<string, unknown> {
  const plain = Object.create(null) as Record<string, unknown>;
  for (const [key, each] of entries) {
    if (typeof key !== "string" || each.type === "undefined" || each.type === "function" || each.type === "symbol") continue; // JSON leaves them out too
    plain[key] = toPlain(each, `${place}.${key}`, seen);
  }
  return plain;
}
