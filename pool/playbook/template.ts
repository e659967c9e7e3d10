/** Placeholders in text: `{name}` and nothing else. One pass, so what a value contains is never expanded. */
import { PLACEHOLDER } from "../../shared/playbook.ts";

/** What a placeholder may stand for, by its name. */
export type Value = string | number | boolean;
export type Values = Readonly<Record<string, Value>>;

/** Text cut at its placeholders: literal text as a string, a placeholder as its name. */
export type Piece = { literal: string } | { name: string };

/** Cuts a text at its placeholders, in order; empty literals are left out. */
export function cutTemplate(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    if (match.index > end) pieces.push({ literal: text.slice(end, match.index) });
    pieces.push({ name: match[1] as string });
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push({ literal: text.slice(end) });
  return pieces;
}

/** The names of a text's placeholders, in order, each once. */
export function placeholders(text: string): string[] {
  return [...new Set(cutTemplate(text).flatMap((piece) => ("name" in piece ? [piece.name] : [])))];
}

/** The text with each placeholder that has a value replaced. Binding has refused the others before, so here they stay. */
export function fill(text: string, values: Values): string {
  return text.replace(PLACEHOLDER, (whole, name: string) => (Object.hasOwn(values, name) ? String(values[name]) : whole));
}

/** Rebuilds a JSON value with `change` applied to every string in it; keys stay as they are. `path` leads to the string. */
export function mapStrings(
  value: unknown,
  change: (text: string, path: readonly PropertyKey[]) => unknown,
  path: readonly PropertyKey[] = [],
): unknown {
  if (typeof value === "string") return change(value, path);
  if (Array.isArray(value)) return value.map((each, i) => mapStrings(each, change, [...path, i]));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, mapStrings(each, change, [...path, key])]));
}
