/**
 * What no browser takes for CSS, told without one. Refuses only what Chrome's `querySelectorAll` throws on: escaped names, `-vendor-` names and the forgiving
 * lists of `:is()` and `:where()` are not judged. Source: Selectors 4, CSS Syntax 3, third_party/blink/renderer/core/css/parser.
 */
import { FUNCTIONS, NTH, PLAIN, SELECTOR_ARGUMENTS } from "./css-pseudos.ts";
import { scan } from "./scan.ts";

const ESCAPE = String.raw`\\(?:[0-9a-fA-F]{1,6}(?:\r\n|[ \t\n\r\f])?|[^\n\r\f0-9a-fA-F])`;
const START = String.raw`(?:[A-Za-z_\0\u0080-\u{10ffff}]|${ESCAPE})`;
const IDENT = new RegExp(String.raw`(?:--|-?${START})(?:[\w\-\0\u0080-\u{10ffff}]|${ESCAPE})*`, "uy");
const STRING = /"(?:\\(?:\r\n|[\s\S])|[^"\\\n\r\f])*"|'(?:\\(?:\r\n|[\s\S])|[^'\\\n\r\f])*'/y;
const SPACE = /[ \t\n\r\f]*/y;

type Reader = { readonly source: string; at: number };
const readerOf = (source: string): Reader => ({ source, at: 0 });

/** What the expression finds right here, taken; null: it finds nothing. */
function take(reader: Reader, expression: RegExp): string | null {
  expression.lastIndex = reader.at;
  const found = expression.exec(reader.source)?.[0] ?? null;
  reader.at += found?.length ?? 0;
  return found;
}
const rest = ({ source, at }: Reader): string => source.slice(at);
const here = (reader: Reader): string => `"${[...rest(reader).slice(0, 20)].join("")}"`;
const next = ({ source, at }: Reader): string => source[at] ?? "";

/** One compound, without a combinator outside brackets. @throws Error with what is wrong */
export function checkCompound(css: string): void {
  const reader = readerOf(css);
  readCompound(reader);
  if (reader.at < css.length) throw new Error(unexpected(reader));
}

function unexpected(reader: Reader): string {
  if (next(reader) === "=") return `${here(reader)} is out of place: an attribute stands in brackets, such as [name="value"]`;
  return `${here(reader)} is out of place`;
}

/** Answers whether there was anything. */
function readCompound(reader: Reader): boolean {
  const start = reader.at;
  readType(reader);
  for (;;) {
    switch (next(reader)) {
      case "#":
      case ".": {
        const sign = next(reader);
        reader.at += 1;
        if (take(reader, IDENT) === null) throw new Error(noName(reader, sign));
        break;
      }
      case "[":
        readAttribute(reader);
        break;
      case ":":
        readPseudo(reader);
        break;
      case "&":
        reader.at += 1;
        take(reader, IDENT);
        break;
      default:
        return reader.at > start;
    }
  }
}

function noName(reader: Reader, sign: string): string {
  const word = /^[\w-]+/.exec(rest(reader))?.[0];
  if (word === undefined) return `"${sign}" has no name`;
  const instead = `[${sign === "#" ? "id" : "class~"}="${word}"]`;
  return `a name begins with no digit: instead of "${sign}${word}" write ${instead}`;
}

/** `a`, `*`, `*|a`, `|a`. A prefix needs a namespace that was declared, and here none can be. */
function readType(reader: Reader): void {
  const name = next(reader) === "*" ? take(reader, /\*/y) : take(reader, IDENT);
  if (next(reader) !== "|") return;
  reader.at += 1;
  if (next(reader) === "|") throw new Error('"||" is no combinator of this browser');
  if (name !== null && name !== "*") throw new Error(`the namespace "${name}" is not declared; *|${rest(reader)} is in any`);
  if (next(reader) === "*") reader.at += 1;
  else if (take(reader, IDENT) === null) throw new Error('nothing stands after "|"');
}

function readAttribute(reader: Reader): void {
  const { source, at } = reader;
  const whole = source.slice(at, scan(source, at));
  reader.at += 1;
  take(reader, SPACE);
  const prefix = take(reader, /\*?\|(?!=)/y);
  const name = take(reader, IDENT);
  if (name === null) throw new Error(`${whole} names no attribute`);
  if (prefix === null && next(reader) === "|" && rest(reader)[1] !== "=") throw new Error(`the namespace "${name}" is not declared`);
  take(reader, SPACE);
  if (take(reader, /\]/y) !== null) return;
  if (take(reader, /[~|^$*]?=/y) === null) throw new Error(`${here(reader)} in ${whole} is no operator: they are =, ~=, |=, ^=, $= and *=`);
  take(reader, SPACE);
  if (take(reader, STRING) === null && take(reader, IDENT) === null) {
    const value = rest(reader).slice(0, whole.length - (reader.at - at) - 1);
    throw new Error(value.trim() === "" ? `${whole} has no value after "="` : `the value in ${whole} must stand in quotes`);
  }
  take(reader, SPACE);
  const flag = take(reader, IDENT);
  take(reader, SPACE);
  const ends = take(reader, /\]/y) !== null;
  if (!ends || (flag !== null && !flag.includes("\\") && !/^[is]$/i.test(flag)))
    throw new Error(`the value in ${whole} must stand in quotes; after it only i or s may follow`);
}

function readPseudo(reader: Reader): void {
  const start = reader.at;
  const isElement = take(reader, /::?/y) === "::";
  const name = take(reader, IDENT);
  if (name === null) throw new Error(`"${isElement ? "::" : ":"}" has no name`);
  const written = reader.source.slice(start, reader.at);
  const end = next(reader) === "(" ? scan(reader.source, reader.at) : null;
  const argument = end === null ? null : reader.source.slice(reader.at + 1, end - 1);
  reader.at = end ?? reader.at;
  if (name.startsWith("-") || name.includes("\\")) return; // a vendor's, or one that nobody writes so
  const known = name.toLowerCase();
  const kind = isElement ? "element" : "class";
  if (argument === null) {
    if (FUNCTIONS[kind].has(known) && !PLAIN[kind].has(known)) throw new Error(`"${written}" needs an argument in brackets`);
    if (!PLAIN[kind].has(known)) throw new Error(`"${written}" is no pseudo-${kind} of CSS`);
    return;
  }
  if (!FUNCTIONS[kind].has(known)) {
    throw new Error(PLAIN[kind].has(known) ? `"${written}" takes no argument` : `"${written}()" is no pseudo-${kind} of CSS`);
  }
  checkArgument(written, known, argument);
}

function checkArgument(written: string, name: string, argument: string): void {
  if (name === "is" || name === "where") return; // forgiving: what is wrong in it is left out
  const inside = argument.replace(/^[ \t\n\r\f]+|[ \t\n\r\f]+$/g, "");
  if (inside === "") throw new Error(`"${written}()" needs an argument`);
  if (NTH.has(name)) checkNth(written, name, inside);
  else if (SELECTOR_ARGUMENTS.has(name)) checkList(inside, name === "has");
}

/** `odd`, `3`, `2n + 1`, and of children `… of a list`. */
function checkNth(written: string, name: string, argument: string): void {
  if (argument.includes("\\")) return;
  const [, count, list] = /^([^(["'.#:]*?)(?:[ \t\n\r\f]*\bof(?![\w-])([\s\S]*))?$/i.exec(argument) ?? [];
  if (count === undefined || !/^(?:even|odd|[+-]?\d+|[+-]?\d*n(?:[ \t\n\r\f]*[+-][ \t\n\r\f]*\d+)?)[ \t\n\r\f]*$/i.test(count))
    throw new Error(`"${written}(${argument})": expected a number, odd, even, or such as 2n+1`);
  if (list === undefined) return;
  if (!/child$/.test(name)) throw new Error(`"${written}()" takes no "of"`);
  checkList(list, false);
}

/** A list of complex selectors, pure CSS. `relative`: each may begin with a combinator. */
function checkList(source: string, relative: boolean): void {
  const reader = readerOf(source);
  for (;;) {
    take(reader, SPACE);
    if (relative && take(reader, /[>+~]/y) !== null) take(reader, SPACE);
    for (;;) {
      if (!readCompound(reader)) throw new Error(rest(reader) === "" ? `a part of "${source.trim()}" is missing` : unexpected(reader));
      const spaces = take(reader, SPACE);
      const combinator = take(reader, /[>+~]/y);
      take(reader, SPACE);
      if (reader.at === source.length && combinator === null) return;
      if (combinator === null && (next(reader) === "," || spaces === "")) break;
    }
    if (take(reader, /,/y) === null) throw new Error(unexpected(reader));
  }
}
