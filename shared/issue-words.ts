/** What is wrong with a value, in plain words: of what zod finds, unless the schema has words of its own. Never the value, it may be a secret. */
import type { z } from "zod";

type Found = z.core.$ZodRawIssue;

const KINDS: Record<string, string> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
  null: "null",
  undefined: "nothing",
};
const FORMATS: Record<string, string> = {
  url: "a URL, as https://example.com",
  uuid: "a UUID",
  datetime: "a time, as 2026-01-31T12:00:00Z",
  regex: "another form",
};
const UNITS: Record<string, [one: string, more: string]> = {
  string: ["character", "characters"],
  array: ["entry", "entries"],
  set: ["entry", "entries"],
  map: ["entry", "entries"],
  record: ["entry", "entries"],
};

/** One finding → a sentence that stands behind the field's name: `Expected a text, not a number`. */
export function issueInWords(issue: Found): string {
  switch (issue.code) {
    case "invalid_type":
      return expected(kind(String(issue.expected)), issue.input);
    case "invalid_value":
      return expected(choice(issue.values), issue.input, false);
    case "too_small":
      return size(issue.origin, issue.minimum, issue.exact ? "exactly" : issue.inclusive === false ? "more than" : "at least");
    case "too_big":
      return size(issue.origin, issue.maximum, issue.exact ? "exactly" : issue.inclusive === false ? "less than" : "at most");
    case "not_multiple_of":
      return `Expected a multiple of ${issue.divisor}`;
    case "invalid_format":
      return `Expected ${FORMATS[issue.format] ?? `the form "${issue.format}"`}`;
    case "unrecognized_keys":
      return `Unknown ${issue.keys.length > 1 ? "fields" : "field"}: ${issue.keys.join(", ")}`;
    case "invalid_key":
      return `Not a name that can stand here${issue.issues[0] ? `: ${issue.issues[0].message}` : ""}`;
    case "invalid_union":
      return expected("another form", issue.input, false);
    default:
      return "Not valid";
  }
}

function expected(what: string, input: unknown, sayFound = true): string {
  if (input === undefined) return `Required: ${what}`;
  const found = kind(kindOf(input));
  return sayFound && found !== what ? `Expected ${what}, not ${found}` : `Expected ${what}`;
}

const kind = (name: string): string => KINDS[name] ?? name;

function kindOf(input: unknown): string {
  if (input === null) return "null";
  if (Array.isArray(input)) return "array";
  if (typeof input !== "number" || Number.isInteger(input)) return typeof input;
  return Number.isFinite(input) ? "a fraction" : String(input);
}

/** Of a value that may have several forms and has none: `Expected an object or a text, not a number`. */
export function eitherInWords(messages: readonly string[]): string {
  const parts = messages.map((message) => /^Expected (.+?)(, not .+)?$/s.exec(message));
  const found = new Set(parts.map((part) => part?.[2] ?? ""));
  if (found.size > 1 || parts.includes(null)) return [...new Set(messages)].join(", or ");
  return `Expected ${[...new Set(parts.map((part) => part?.[1]))].join(" or ")}${[...found][0]}`;
}

function choice(values: readonly unknown[]): string {
  const shown = values.map((each) => (typeof each === "string" ? each : JSON.stringify(each)));
  return shown.length === 1 ? `${shown[0]}` : `one of ${shown.join(", ")}`;
}

function size(origin: string, bound: number | bigint, how: string): string {
  const unit = UNITS[origin];
  if (!unit) return `Expected ${how} ${bound}`;
  if (how === "at least" && Number(bound) === 1) return "Must not be empty";
  return `Expected ${how} ${bound} ${Number(bound) === 1 ? unit[0] : unit[1]}`;
}
