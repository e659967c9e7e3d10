/** Selectors as authors write them → what the engine in the page looks for. Everything that is wrong without a page is refused here. */
import { AppError } from "../../shared/errors.ts";
import { isAriaRole, meantRole, misspeltRole } from "./aria-roles.ts";
import { type Complex, isPlain, parseCss } from "./css-syntax.ts";
import { resolveEscapes, scan, unquote } from "./scan.ts";
import { habitHint, isChain } from "./selector-habits.ts";
import { checkXPath } from "./xpath-syntax.ts";

/** A text that must match: a part of it, all of it (as one text node has it), or an expression. Spaces are normalised, except for an expression. */
export type TextTest = { kind: "part" | "exact" | "partCased"; text: string } | { kind: "regex"; source: string; flags: string };
export type NameTest =
  | { operator: "=" | "*=" | "^=" | "$=" | "~=" | "|="; text: string; ignoreCase: boolean }
  | { source: string; flags: string };
export type RoleTests = {
  name?: NameTest;
  description?: NameTest;
  checked?: boolean | "mixed";
  pressed?: boolean | "mixed";
  selected?: boolean;
  expanded?: boolean;
  disabled?: boolean;
  level?: number;
};

export type Query =
  | { kind: "css"; css: string; plain: boolean; list: Complex[] }
  | { kind: "text"; test: TextTest }
  | { kind: "role"; role: string; tests: RoleTests; includeHidden: boolean }
  | { kind: "aria"; name: string | null; role: string | null }
  | { kind: "xpath"; xpath: string };
export type ParsedSelector = Query & { source: string };

/** One selector. @throws VALIDATION_FAILED naming what is wrong; an error that only a browser can see shows at the first look. */
export function parseSelector(source: string): ParsedSelector {
  try {
    return { ...parseQuery(source.trim()), source };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("VALIDATION_FAILED", `Not a valid selector: ${shown(source)}: ${why}`, { cause, details: { selector: source } });
  }
}

/** Long ones are cut, so that a message stays a message. */
export const shown = (source: string): string => cut(source, 200);
const cut = (text: string, chars: number): string => (text.length > chars ? `${text.slice(0, chars)}…` : text);

function parseQuery(source: string): Query {
  if (source === "") throw new Error("it is empty");
  const [, engine, rest] = /^(text=|text\/|role=|aria\/|xpath\/|xpath=|pierce\/|css=)([\s\S]*)$/.exec(source) ?? [null, "", source];
  if (engine !== "" && rest?.trim() === "") throw new Error(`nothing stands after "${engine}"`);
  const body = (rest as string).trim();
  switch (engine) {
    case "text=":
      return { kind: "text", test: parseText(body) };
    case "text/":
      return { kind: "text", test: { kind: "partCased", text: body } };
    case "role=":
      return parseRole(body);
    case "aria/":
      return parseAria(body);
    case "xpath/":
    case "xpath=":
      return parseXPath(body);
    default:
      if (/^\(*\/\/|^\.\.?\//.test(body)) return parseXPath(body); // no CSS begins like this, and Playwright reads it as XPath too
      return css(body);
  }
}

function css(source: string): Query {
  try {
    const list = parseCss(source);
    return { kind: "css", css: source, plain: isPlain(list), list };
  } catch (cause) {
    const hint = habitHint(source);
    throw hint === null ? cause : new Error(hint, { cause });
  }
}

/** `text=words`, `text="exactly this"`, `text=/expression/flags`. */
function parseText(body: string): TextTest {
  const regex = parseRegex(body);
  if (regex) return { kind: "regex", ...regex };
  refuseBrokenRegex(body);
  const quote = body[0];
  if ((quote === '"' || quote === "'") && body.length > 1 && body.at(-1) === quote) return { kind: "exact", text: unquote(body) };
  if (isChain(body)) throw new Error('selectors are not chained with ">>" here; with CSS, write such as form:has-text("…") button');
  return { kind: "part", text: body };
}

function parseRegex(text: string): { source: string; flags: string } | null {
  const found = /^\/((?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[])+)\/([a-z]*)$/s.exec(text);
  if (!found) return null;
  const [, source, flags] = found as unknown as [string, string, string];
  new RegExp(source, flags); // throws with its own clear words
  if (/[gy]/.test(flags)) throw new Error(`the flag "${flags}" of an expression has no meaning here`);
  return { source, flags };
}

/** Between two slashes, without another one, and yet no expression: `/[/`. A text with more slashes, or with one, is a text. */
function refuseBrokenRegex(body: string): void {
  const source = /^\/((?:\\.|[^/\\])+)\/[dimsuv]*$/s.exec(body)?.[1];
  if (source !== undefined) new RegExp(source); // throws with its own clear words
}

/** `button[name="Save" i][disabled]`, attributes as Playwright has them. */
function parseRole(body: string): Query {
  const role = /^[a-z][a-z0-9-]*/i.exec(body)?.[0];
  if (!role) throw new Error("it needs a role, such as role=button");
  const query: Extract<Query, { kind: "role" }> = { kind: "role", role: role.toLowerCase(), tests: {}, includeHidden: false };
  for (let rest = body.slice(role.length).trimStart(); rest !== ""; ) {
    if (rest[0] !== "[") throw new Error(`"${cut(rest, 20)}" is neither the role nor an attribute in brackets`);
    const end = endOfAttribute(rest);
    readRoleAttribute(query, rest.slice(1, end - 1).trim());
    rest = rest.slice(end).trimStart();
  }
  refuseUnknownRole(role);
  return query;
}

/** Nothing on any page has it: without this the step would look until its time is over, twice. */
function refuseUnknownRole(role: string): void {
  const word = role.toLowerCase();
  if (isAriaRole(word)) return;
  const meant = word === "password" ? "input[type=password]" : meantRole(word) && `role=${meantRole(word)}`;
  const found = role.length > 40 ? "CSS" : `[role="${role}"]`;
  throw new Error(
    `"${cut(role, 40)}" is no role that role= finds; ${meant ? `did you mean ${meant}?` : `an element with just that attribute is found by ${found}`}`,
  );
}

/** As `scan`, but an expression may hold brackets and quotes of its own. */
function endOfAttribute(rest: string): number {
  const regex = /^\[\s*[\w-]+\s*[*^$~|]?=\s*\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[])+\/[a-z]*\s*\]/s.exec(rest);
  return regex ? regex[0].length : scan(rest, 0);
}

function readRoleAttribute(query: Extract<Query, { kind: "role" }>, text: string): void {
  const [, name, operator, value] = /^([a-z-]+)\s*(?:([*^$~|]?=)\s*([\s\S]*))?$/i.exec(text) ?? [];
  if (name === undefined) throw new Error(`"[${text}]" is not an attribute`);
  switch (name) {
    case "name":
    case "description":
      if (operator === undefined || value === undefined) throw new Error(`${name} needs a value, such as [${name}="Save"]`);
      query.tests[name] = parseName(operator, value);
      return;
    case "level": {
      const level = Number(unquote(value ?? ""));
      if (operator !== "=" || !Number.isInteger(level) || level < 1) throw new Error("level needs a whole number, such as [level=2]");
      query.tests.level = level;
      return;
    }
    case "checked":
    case "pressed":
      query.tests[name] = value !== undefined && unquote(value) === "mixed" ? "mixed" : parseFlag(name, operator, value);
      return;
    case "selected":
    case "expanded":
    case "disabled":
      query.tests[name] = parseFlag(name, operator, value);
      return;
    case "include-hidden":
      query.includeHidden = parseFlag(name, operator, value);
      return;
    default:
      throw new Error(
        `"${name}" is no attribute of role=; they are name, description, checked, pressed, selected, expanded, disabled, level, include-hidden`,
      );
  }
}

function parseFlag(name: string, operator: string | undefined, value: string | undefined): boolean {
  if (value === undefined) return true;
  const text = unquote(value);
  if (operator !== "=" || (text !== "true" && text !== "false")) throw new Error(`${name} is true or false`);
  return text === "true";
}

function parseName(operator: string, value: string): NameTest {
  const regex = parseRegex(value);
  if (regex) {
    if (operator !== "=") throw new Error(`"${operator}" does not go with an expression`);
    return regex;
  }
  const [, quoted, flag] = /^("(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*')\s*([is]?)$/i.exec(value) ?? [];
  if (quoted !== undefined) return { operator: operator as "=", text: unquote(quoted), ignoreCase: flag?.toLowerCase() === "i" };
  const [, bare, bareFlag] = /^((?!\/)(?:\\[\s\S]|[^\s"'\\[\]])+)(?:\s+([is]))?$/i.exec(value) ?? [];
  if (bare === undefined) throw new Error(`the name ${cut(value, 40)} must stand in quotes`);
  return { operator: operator as "=", text: resolveEscapes(bare), ignoreCase: bareFlag?.toLowerCase() === "i" };
}

/** Puppeteer's form: `aria/Save[role="button"]`. Names and roles are exact, and case-sensitive. */
function parseAria(body: string): Query {
  const query: Extract<Query, { kind: "aria" }> = { kind: "aria", name: null, role: null };
  const words = body.replace(/\[\s*([\w-]+)\s*=\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')\s*\]/g, (_all, key: string, value: string) => {
    if (key !== "name" && key !== "role") throw new Error(`"${key}" is no attribute of aria/; they are name and role`);
    query[key] = unquote(value);
    return "";
  });
  const name = words.replace(/[\s\u00A0]+/g, " ").trim();
  if (name !== "") query.name = resolveEscapes(name);
  if (!query.name && !query.role) throw new Error("it needs a name or a role");
  refuseMisspeltRole(query.role ?? "");
  return query;
}

/** Chrome's tree has roles of its own, such as LabelText and image, and more with each version; only what is plainly one of ARIA's, misspelt, is refused. */
function refuseMisspeltRole(role: string): void {
  const meant = isAriaRole(role) ? null : misspeltRole(role.toLowerCase());
  if (meant) throw new Error(`"${cut(role, 40)}" is no role; did you mean [role="${meant}"]?`);
}

function parseXPath(body: string): Query {
  checkXPath(body);
  return { kind: "xpath", xpath: body };
}
