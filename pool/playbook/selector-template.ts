/** Placeholders inside selectors: a value is escaped for the place it stands in, so that it can never leave that place. */
import { AppError } from "../../shared/errors.ts";
import { cutTemplate, type Piece, type Values } from "./template.ts";

/** Where a selector's text is: what the next value is surrounded by. */
type Place =
  | { kind: "name" } // an identifier, or the space between
  | { kind: "string"; quote: string }
  | { kind: "regex" }
  | { kind: "number" } // the argument of :nth-child() and its like
  | { kind: "escape" } // right after a backslash, or within its hex digits: nothing can be escaped there
  | { kind: "text" }; // bare text, taken as it is

/** Follows the author's own text, character by character. Values never move it: escaped, they have no meaning to it. */
type Scanner = { read(char: string): void; place(): Place };

const ENGINE = /^(text=|role=|aria\/|text\/|xpath\/|pierce\/)/;
const engineOf = (selector: string): string => ENGINE.exec(selector)?.[1] ?? "css";

/**
 * The selector with its placeholders replaced; those without a value stay.
 * @throws VALIDATION_FAILED when a placeholder stands where no value can, or a value cannot stand there.
 */
export function fillSelector(template: string, values: Values): string {
  const pieces = cutTemplate(template).map(
    (piece): Piece => ("name" in piece && !Object.hasOwn(values, piece.name) ? { literal: `{${piece.name}}` } : piece),
  );
  if (pieces.every((piece) => "literal" in piece)) return template;
  const first = pieces[0] as Piece;
  const engine = "literal" in first ? engineOf(first.literal) : "css";
  const filled = engine === "xpath/" ? fillXPath(pieces, values) : fillScanned(pieces, values, scannerOf(engine), engine);
  if (engineOf(filled) !== engine) throw refused("the value would change what kind of selector it is");
  return filled;
}

const refused = (why: string) => new AppError("VALIDATION_FAILED", `A value cannot stand here: ${why}`);

function fillScanned(pieces: Piece[], values: Values, scanner: Scanner, engine: string): string {
  let filled = "";
  for (const piece of pieces) {
    if ("literal" in piece) {
      const rest = filled === "" && engine !== "css" ? piece.literal.slice(engine.length) : piece.literal;
      for (const char of rest) scanner.read(char);
      filled += piece.literal;
    } else {
      filled += escapeFor(scanner.place(), String(values[piece.name]));
    }
  }
  return filled;
}

function escapeFor(place: Place, value: string): string {
  switch (place.kind) {
    case "name":
      return cssEscape(value);
    case "string":
      return escapeString(value);
    case "regex":
      return RegExp.escape(value);
    case "number":
      if (!/^\d{1,15}$/.test(value)) throw refused("only a whole number fits");
      return value;
    case "text":
      return value;
    case "escape":
      throw refused("a backslash stands right before the placeholder");
  }
}

function scannerOf(engine: string): Scanner {
  if (engine === "text/") return { read: () => {}, place: () => ({ kind: "text" }) };
  if (engine === "text=") return textScanner();
  return bracketScanner(engine === "role=" || engine === "aria/");
}

/** `text=`: `"exact"`, `/expression/`, or bare words up to the end. */
function textScanner(): Scanner {
  let opening: string | null = null;
  let escaped = false;
  return {
    read(char) {
      if (opening === null && char.trim() === "") return;
      if (opening === null) opening = char;
      else escaped = char === "\\" && !escaped;
    },
    place() {
      if (escaped && opening !== null && "\"'/".includes(opening)) return { kind: "escape" };
      if (opening === '"' || opening === "'") return { kind: "string", quote: opening };
      return opening === "/" ? { kind: "regex" } : { kind: "text" };
    },
  };
}

/** CSS, and the role and aria forms that borrow its brackets and strings. */
function bracketScanner(regexes: boolean): Scanner {
  let quote: string | null = null;
  let escapeChars = -1; // characters since a backslash that may still belong to it; -1: none
  let word = "";
  const functions: string[] = [];
  let last = "";
  return {
    read(char) {
      if (escapeChars >= 0) {
        escapeChars = /[0-9a-f]/i.test(char) && escapeChars < 5 ? escapeChars + 1 : -1;
        return;
      }
      if (char === "\\") {
        escapeChars = 0;
      } else if (quote !== null) {
        if (char === quote) quote = null;
      } else if (char === '"' || char === "'" || (regexes && char === "/" && last === "=")) {
        quote = char;
      } else if (char === "(") {
        functions.push(word);
      } else if (char === ")") {
        functions.pop();
      }
      word = /[\w-]/.test(char) ? word + char : "";
      if (char.trim() !== "") last = char;
    },
    place() {
      if (escapeChars >= 0) return { kind: "escape" };
      if (quote === "/") return { kind: "regex" };
      if (quote !== null) return { kind: "string", quote };
      return functions.at(-1)?.toLowerCase().startsWith("nth-") ? { kind: "number" } : { kind: "name" };
    },
  };
}

/** XPath 1.0 knows no escapes: a string that holds both quotes becomes `concat(…)`, so whole strings are written anew. */
function fillXPath(pieces: Piece[], values: Values): string {
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
  return quote === null ? filled : filled + quote + string; // an unclosed string: the syntax check names it
}

/** Any text as an XPath 1.0 expression. */
export function xpathString(text: string): string {
  if (!text.includes('"')) return `"${text}"`;
  if (!text.includes("'")) return `'${text}'`;
  const parts = text.split('"').map((part) => `"${part}"`);
  return `concat(${parts.join(`, '"', `)})`;
}

/** Inside a quoted string of CSS, role or text: quotes, backslashes and what cannot stand in a string. */
function escapeString(text: string): string {
  return text.replace(/["'\\]|\p{Cc}/gu, (char) => ("\"'\\".includes(char) ? `\\${char}` : hexEscape(char)));
}

/** An identifier for any text, as CSSOM's `CSS.escape` does it (https://drafts.csswg.org/cssom/#serialize-an-identifier). */
export function cssEscape(text: string): string {
  let escaped = "";
  for (const [i, char] of [...text].entries()) {
    if (char === "\0") escaped += "\uFFFD";
    else if (/\p{Cc}/u.test(char)) escaped += hexEscape(char);
    else if (/\d/.test(char) && (i === 0 || (i === 1 && text.startsWith("-")))) escaped += hexEscape(char);
    else if (char === "-" && text === "-") escaped += "\\-";
    else if (char >= "\x80" || /[\w-]/.test(char)) escaped += char;
    else escaped += `\\${char}`;
  }
  return escaped;
}

const hexEscape = (char: string): string => (char === "\0" ? "\uFFFD" : `\\${char.charCodeAt(0).toString(16)} `);
