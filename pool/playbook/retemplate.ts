/** A selector of the live page, which holds the values of one run, as an author would write it: with placeholders, and true in the next run too. */
import { parseSelector } from "../actions/selector-syntax.ts";
import { escapeIdentifier, escapeString } from "./selector-escape.ts";
import { fillSelector } from "./selector-template.ts";
import { placeholders, type Value, type Values } from "./template.ts";

/** Values that are words may stand on a page by chance; shorter numbers too. */
const MIN_DIGITS = 3;

/** `needed`: names whose values tell this run's element from that of another run; a selector without them is true for this run alone. */
type Meaning = { values: Values; needed: readonly string[] };

/**
 * Null: it cannot be said so that it means the same in another run. With its values put in again, the result is the very selector that was given.
 * Pure; what is unique was proven before, on the page.
 */
export function toTemplate(selector: string, { values, needed }: Meaning): string | null {
  const named = Object.entries(values)
    .filter(([name, value]) => name !== "directive" && (needed.includes(name) || isTelling(value)))
    .toSorted(([, a], [, b]) => String(b).length - String(a).length); // what holds another value, first
  let template = selector;
  for (const [name, value] of named) template = replaceValue(template, value, `{${name}}`);
  const used = placeholders(template);
  if (!needed.every((name) => used.includes(name))) return null;
  if (used.some((name) => !Object.hasOwn(values, name)) || isVolatile(template)) return null;
  if (holdsValue(template, values)) return null;
  return used.length === 0 || meansTheSame(template, values, selector) ? template : null;
}

const isTelling = (value: Value): boolean => /\d/.test(String(value)) && String(value).length >= MIN_DIGITS;

/** What a page's author chose: all that is quoted, a text without quotes, names of ids and classes. The rest are words of the selector itself. */
const CHOSEN = /(?<=^text=)[^"].*$|"(?:[^"\\]|\\.)*"|[#.](?:\\.|[^\s\\#.:[\]>+~,="()])+/gsu;

/** Whole words only: 12 does not stand in 4123. A position is no value, whatever its number. */
function replaceValue(selector: string, value: Value, placeholder: string): string {
  if (String(value).trim() === "") return selector;
  const replaced = (text: string) => formsOf(value).reduce((so, form) => so.replace(wordOf(form, "gu"), () => placeholder), text);
  return selector.replace(CHOSEN, replaced);
}

/** The value, as the kinds of selectors write it. */
function formsOf(value: Value): string[] {
  const plain = String(value);
  return [...new Set([plain, plain.replace(/["\\]/g, "\\$&"), escapeString(plain), escapeIdentifier(plain)])];
}

const wordOf = (form: string, flags: "gu" | "iu"): RegExp =>
  new RegExp(`(?<![\\p{L}\\p{N}{]|nth-of-type\\()${RegExp.escape(form)}(?![\\p{L}\\p{N}}])`, flags);

/** What is likely to be another one tomorrow: a number in words that are read, a long one anywhere. Positions are meant. */
function isVolatile(template: string): boolean {
  const rest = template.replace(/\{[a-z_][a-z0-9_.]*\}/g, "").replace(/:nth-of-type\(\d+\)/g, "");
  return /^(role|text)=/.test(rest) ? /\d/.test(rest.replace(/^role=\w+/, "")) : /\d{3,}/.test(rest);
}

/** A word that was a parameter's value, by chance or not, or any value in another case: filled in, it would not be this element's. */
const holdsValue = (template: string, values: Values): boolean =>
  Object.entries(values).some(
    ([name, value]) =>
      name !== "directive" && String(value).trim().length >= MIN_DIGITS && formsOf(value).some((form) => wordOf(form, "iu").test(template)),
  );

function meansTheSame(template: string, values: Values, selector: string): boolean {
  const meaning = (source: string) => JSON.stringify({ ...parseSelector(source), source: "" });
  try {
    return meaning(fillSelector(template, values)) === meaning(selector);
  } catch {
    return false; // a value that cannot stand there
  }
}
