/** XPath 1.0, told without a browser: its grammar, its functions, and whether it can give elements at all. Source: https://www.w3.org/TR/xpath-10/ */
import { counted } from "../../shared/counted.ts";

const AXES =
  /^(?:ancestor|ancestor-or-self|attribute|child|descendant|descendant-or-self|following|following-sibling|namespace|parent|preceding|preceding-sibling|self)$/;
const NODE_TYPES = /^(?:comment|text|processing-instruction|node)$/;
/** How many arguments each takes, at least and at most. */
const FUNCTIONS: Readonly<Record<string, readonly [number, number]>> = {
  ...{ last: [0, 0], position: [0, 0], count: [1, 1], id: [1, 1], "local-name": [0, 1], "namespace-uri": [0, 1], name: [0, 1] },
  ...{ string: [0, 1], concat: [2, Number.POSITIVE_INFINITY], "starts-with": [2, 2], contains: [2, 2], "substring-before": [2, 2] },
  ...{ "substring-after": [2, 2], substring: [2, 3], "string-length": [0, 1], "normalize-space": [0, 1], translate: [3, 3] },
  ...{ boolean: [1, 1], not: [1, 1], true: [0, 0], false: [0, 0], lang: [1, 1] },
  ...{ number: [0, 1], sum: [1, 1], floor: [1, 1], ceiling: [1, 1], round: [1, 1] },
};

const NAME = String.raw`[A-Za-z_\u0080-\u{10ffff}][\w.\-\u0080-\u{10ffff}]*`;
const TOKEN = new RegExp(
  String.raw`(?<space>[ \t\r\n]+)|(?<literal>"[^"]*"|'[^']*')|(?<number>\d+(?:\.\d*)?|\.\d+)|(?<variable>\$${NAME}(?::${NAME})?)` +
    String.raw`|(?<name>${NAME}(?::(?:${NAME}|\*))?)|(?<sign>\/\/|::|\.\.|!=|<=|>=|[\/|+\-=<>()[\].@,*])`,
  "uy",
);
type Kind = "literal" | "number" | "variable" | "name" | "sign" | "operator" | "end";
type Token = { kind: Kind; text: string };

/** @throws Error with what is wrong */
export function checkXPath(source: string): void {
  const tokens = tokensOf(source);
  const reader = { tokens, at: 0 };
  const givesNodes = readExpression(reader);
  if (now(reader).kind !== "end") throw new Error(misplaced(reader));
  if (!givesNodes) throw new Error("it gives a value, and no elements");
}

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const found = Object.entries(TOKEN.exec(source)?.groups ?? {}).find(([, text]) => text !== undefined) as
      | [Kind | "space", string]
      | undefined;
    if (!found)
      throw new Error(/^["']/.test(source.slice(at)) ? `a string is not closed (${source[at]})` : `"${source[at]}" is out of place`);
    const [kind, text] = found;
    if (kind !== "space") tokens.push({ kind: isOperator(kind, text, tokens.at(-1)) ? "operator" : kind, text });
  }
  return [...tokens, { kind: "end", text: "" }];
}

/** `*`, `and` and their like are operators only where something stands before them (XPath 1.0, 3.7). */
function isOperator(kind: string, text: string, before: Token | undefined): boolean {
  if (kind === "sign" && /^(?:[|+\-=<>]|!=|<=|>=)$/.test(text)) return true;
  const isAmbiguous = (kind === "sign" && text === "*") || (kind === "name" && /^(?:and|or|mod|div)$/.test(text));
  if (!isAmbiguous || before === undefined || before.kind === "operator") return false;
  return !(before.kind === "sign" && /^(?:@|::|\(|\[|,|\/|\/\/)$/.test(before.text));
}

type Reader = { readonly tokens: readonly Token[]; at: number };
const now = ({ tokens, at }: Reader): Token => tokens[Math.min(at, tokens.length - 1)] as Token;
const follows = ({ tokens, at }: Reader): Token => tokens[Math.min(at + 1, tokens.length - 1)] as Token;
const shownToken = (reader: Reader): string => (now(reader).kind === "end" ? "its end" : `"${now(reader).text.slice(0, 40)}"`);
const misplaced = (reader: Reader): string =>
  now(reader).kind === "end" ? "it ends where a name must follow" : `${shownToken(reader)} is out of place`;
const isSign = (token: Token, text: string): boolean => token.kind === "sign" && token.text === text;

function takeSign(reader: Reader, ...signs: string[]): boolean {
  const found = signs.some((sign) => isSign(now(reader), sign));
  if (found) reader.at += 1;
  return found;
}

function expect(reader: Reader, sign: string): void {
  if (!takeSign(reader, sign)) throw new Error(`"${sign}" is missing before ${shownToken(reader)}`);
}

/** Operators in any order: which binds first changes no verdict. Answers whether it gives nodes. */
function readExpression(reader: Reader): boolean {
  let givesNodes = true;
  for (;;) {
    while (now(reader).kind === "operator" && now(reader).text === "-") {
      reader.at += 1;
      givesNodes = false;
    }
    givesNodes = readPath(reader) && givesNodes;
    const { kind, text } = now(reader);
    if (kind !== "operator") return givesNodes;
    if (text !== "|") givesNodes = false;
    reader.at += 1;
  }
}

function readPath(reader: Reader): boolean {
  if (takeSign(reader, "/")) {
    if (startsStep(reader)) readSteps(reader);
    return true;
  }
  if (takeSign(reader, "//") || startsStep(reader)) {
    readSteps(reader);
    return true;
  }
  let givesNodes = readPrimary(reader);
  while (isSign(now(reader), "[")) readPredicate(reader);
  if (takeSign(reader, "/", "//")) {
    readSteps(reader);
    givesNodes = true;
  }
  return givesNodes;
}

function startsStep(reader: Reader): boolean {
  const { kind, text } = now(reader);
  if (kind === "name") return NODE_TYPES.test(text) || !isSign(follows(reader), "(");
  return kind === "sign" && /^(?:\.|\.\.|@|\*)$/.test(text);
}

function readSteps(reader: Reader): void {
  do readStep(reader);
  while (takeSign(reader, "/", "//"));
}

function readStep(reader: Reader): void {
  if (takeSign(reader, ".", "..")) return;
  if (!takeSign(reader, "@") && isSign(follows(reader), "::")) {
    if (!AXES.test(now(reader).text)) throw new Error(`${shownToken(reader)} is no axis`);
    reader.at += 2;
  }
  const { kind, text } = now(reader);
  if (kind !== "name" && !isSign(now(reader), "*")) throw new Error(misplaced(reader));
  reader.at += 1;
  if (kind === "name" && isSign(now(reader), "(")) readNodeType(reader, text);
  while (isSign(now(reader), "[")) readPredicate(reader);
}

function readNodeType(reader: Reader, name: string): void {
  if (!NODE_TYPES.test(name)) throw new Error(`the function ${name}() cannot stand in a path`);
  expect(reader, "(");
  if (name === "processing-instruction" && now(reader).kind === "literal") reader.at += 1;
  expect(reader, ")");
}

function readPredicate(reader: Reader): void {
  expect(reader, "[");
  readExpression(reader);
  expect(reader, "]");
}

function readPrimary(reader: Reader): boolean {
  if (takeSign(reader, "(")) {
    const givesNodes = readExpression(reader);
    expect(reader, ")");
    return givesNodes;
  }
  const { kind, text } = now(reader);
  if (kind === "name") {
    readCall(reader, text);
    return text === "id" || text.includes(":");
  }
  if (kind !== "literal" && kind !== "number" && kind !== "variable") {
    throw new Error(misplaced(reader));
  }
  reader.at += 1;
  return false;
}

function readCall(reader: Reader, name: string): void {
  reader.at += 1;
  expect(reader, "(");
  let count = 0;
  if (!isSign(now(reader), ")")) {
    do {
      readExpression(reader);
      count += 1;
    } while (takeSign(reader, ","));
  }
  expect(reader, ")");
  if (name.includes(":")) return; // of a namespace that the page may declare
  if (!Object.hasOwn(FUNCTIONS, name)) throw new Error(`XPath 1.0 has no function ${name}()`);
  const [least, most] = FUNCTIONS[name] as readonly [number, number];
  if (count < least || count > most)
    throw new Error(
      `${name}() takes ${least === most ? "" : count < least ? "at least " : "at most "}${counted(count < least ? least : most, "argument")}, not ${count}`,
    );
}
