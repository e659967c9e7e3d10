/** Placeholders inside selectors: a value is escaped for the place it stands in, so that it can never leave that place. */
import { AppError } from "../../shared/errors.ts";
import { isChain } from "../actions/selector-habits.ts";
import { type ParsedSelector, parseSelector } from "../actions/selector-syntax.ts";
import { escapeIdentifier, escapeString, escapeWords, xpathString } from "./selector-escape.ts";
import { placeAfter } from "./selector-place.ts";
import { cutTemplate, type Piece, type Values } from "./template.ts";

/** What a selector is written in, by how it begins. */
type Engine = "css" | "text" | "literal" | "role" | "aria" | "xpath";
const PREFIXES: Record<string, Engine> = {
  "text=": "text",
  "text/": "literal",
  "role=": "role",
  "aria/": "aria",
  "xpath/": "xpath",
  "xpath=": "xpath",
};
/** The same engines, as the parser names them. */
const KIND: Record<Engine, ParsedSelector["kind"]> = {
  css: "css",
  text: "text",
  literal: "text",
  role: "role",
  aria: "aria",
  xpath: "xpath",
};

/**
 * The selector with its placeholders replaced; each must have a value. The result has the structure that its author gave it, whatever the values are.
 * @throws VALIDATION_FAILED: a placeholder stands where no value can, a value cannot stand there, or the selector is not one.
 */
export function fillSelector(template: string, values: Values): string {
  const pieces = cutTemplate(template.trim());
  if (pieces.every((piece) => "literal" in piece)) return template;
  const filled = fillPieces(pieces, values);
  const parsed = parseSelector(filled);
  const plain = fillPieces(pieces, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, harmless(value)])));
  if (parsed.kind !== KIND[engineOf(pieces)] || shapeOf(parsed) !== shapeOf(parseSelector(plain))) {
    throw refused("the value would change what the selector means");
  }
  return filled;
}

const refused = (why: string) => new AppError("VALIDATION_FAILED", `A value cannot stand here: ${why}`);

/** The value itself where nothing in it could mean anything, else a word in its place. */
const harmless = (value: Values[string]): string => (/^\w+(?:-\w+)*$/.test(String(value)) ? String(value) : "x");

/** All of a parsed selector but its words: how many parts, which tests, which operators and flags. */
function shapeOf(parsed: ParsedSelector): string {
  switch (parsed.kind) {
    case "css":
      return JSON.stringify(
        parsed.list.map(({ combinators, compounds }) => [
          combinators,
          compounds.map(({ texts, visible }) => [visible, texts.map(({ kind }) => kind)]),
        ]),
      );
    case "text":
      if (parsed.test.kind === "regex" && parsed.test.flags !== "i") return `/${parsed.test.flags}`;
      return parsed.test.kind === "regex" ? "part" : parsed.test.kind; // bare words become /words/i at need
    case "role": {
      const { name, description, ...tests } = parsed.tests;
      const shapes = [name, description].map((test) => test && ("flags" in test ? test.flags : [test.operator, test.ignoreCase]));
      return JSON.stringify([parsed.includeHidden, shapes, Object.keys(tests).sort()]);
    }
    case "aria":
      return JSON.stringify([parsed.name === null, parsed.role === null]);
    case "xpath":
      return parsed.xpath.replace(/concat\((?:"[^"]*"|'[^']*'|, )*\)|"[^"]*"|'[^']*'/g, '""');
  }
}

function engineOf([first]: readonly Piece[]): Engine {
  const start = first && "literal" in first ? first.literal : "";
  const prefix = Object.keys(PREFIXES).find((each) => start.startsWith(each));
  if (prefix) return PREFIXES[prefix] as Engine;
  return /^\(*\/\/|^\.\.?\//.test(start) ? "xpath" : "css";
}

function fillPieces(pieces: readonly Piece[], values: Values): string {
  const engine = engineOf(pieces);
  if (engine === "xpath") return fillXPath(pieces, values);
  if (engine === "literal") return fillWith(pieces, values, (value) => value);
  if (engine === "text") return fillText(pieces, values);
  return fillWith(pieces, values, (value, before) => {
    const place = placeAfter(before, engine);
    if (place !== "regex" && endsInEscape(before)) throw refused("a backslash stands right before the placeholder");
    switch (place) {
      case "string":
        return escapeString(value);
      case "regex":
        return escapeRegex(value, before);
      case "number":
        if (/^\d{1,15}$/.test(value)) return value;
        throw refused("only a whole number fits");
      case "role":
        if (/^[a-z][a-z0-9-]*$/i.test(value)) return value;
        throw refused("only the name of a role fits");
      case "argument":
        if (/^[\p{L}\p{N}_-]*$/u.test(value)) return value;
        throw refused("only a word fits; put the placeholder in quotes");
      case "words":
        return engine === "role" ? escapeWords(value).trimEnd().replaceAll(" ", "\\ ") : escapeWords(value);
      case "identifier":
        if (value === "" && /(?:^|[\s#.:[=(>+~,])$/.test(before)) throw refused("it is empty");
        return escapeIdentifier(value);
    }
  });
}

/** Joins the pieces; `write` is told the author's own text before the value, values left out: escaped, they move nothing. */
function fillWith(pieces: readonly Piece[], values: Values, write: (value: string, before: string) => string): string {
  let before = "";
  let filled = "";
  for (const piece of pieces) {
    if ("literal" in piece) {
      before += piece.literal;
      filled += piece.literal;
    } else {
      filled += write(String(values[piece.name]), before);
      before += "_"; // a value ends whatever escape stood before it
    }
  }
  return filled;
}

/** `text="exact"` and `text=/expression/` know escapes; bare words do not, so words that would be taken for one of these become an expression. */
function fillText(pieces: readonly Piece[], values: Values): string {
  const meant = parseSelector(fillWith(pieces, values, () => "x"));
  const kind = meant.kind === "text" ? meant.test.kind : "part";
  if (kind === "regex") return fillWith(pieces, values, escapeRegex);
  if (kind === "exact") {
    return fillWith(pieces, values, (value, before) => {
      if (endsInEscape(before)) throw refused("a backslash stands right before the placeholder");
      return escapeString(value);
    });
  }
  const filled = fillWith(pieces, values, (value) => value);
  const words = filled.slice("text=".length).trim();
  if (!/^["'/]/.test(words) && !isChain(words)) return filled;
  const expression = words.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replace(/\s+/g, "\\s+");
  return `text=/${expression}/i`;
}

function escapeRegex(value: string, before: string): string {
  if (/(?:^|[^\\])(?:\\\\)*\\$/.test(before)) throw refused("a backslash stands right before the placeholder");
  return RegExp.escape(value);
}

/** A backslash, or one and the beginning of a number: what follows would belong to it. */
const endsInEscape = (text: string): boolean => /(?:^|[^\\])(?:\\\\)*\\[0-9a-f]{0,5}$/i.test(text);

/** XPath 1.0 knows no escapes: a string that holds both quotes becomes `concat(…)`, so each string is written anew. */
function fillXPath(pieces: readonly Piece[], values: Values): string {
  let filled = "";
  let quote: string | null = null;
  let string = "";
  for (const piece of pieces) {
    if ("name" in piece) {
      const value = String(values[piece.name]);
      if (quote !== null) string += value;
      else if (/^([A-Za-z_][\w-]*|\d{1,15})$/.test(value)) filled += value;
      else throw refused("outside quotes only a name or a whole number fits; put the placeholder in quotes");
      continue;
    }
    for (const char of piece.literal) {
      if (quote === null && (char === '"' || char === "'")) quote = char;
      else if (quote === null) filled += char;
      else if (char !== quote) string += char;
      else {
        filled += xpathString(string);
        quote = null;
        string = "";
      }
    }
  }
  return quote === null ? filled : filled + quote + string; // not closed: the parser says so
}
