/** YAML text → a plain value, and the line of every place in it. One document, no duplicate keys, no alias bombs. */
import { isAlias, isCollection, isMap, isNode, isScalar, Lexer, LineCounter, type Pair, parseDocument } from "yaml";
import { formatPath, type Issue, validationFailed } from "../../shared/errors.ts";

export const MAX_YAML_CHARS = 500_000;
const MAX_ALIASES = 50;
const MAX_DEPTH = 32;
/** The largest playbook that the schema allows has a fraction of these. Parsing far more of them blocks the node for seconds. */
const MAX_TOKENS = 60_000;
const MAX_BRACKETS = 200;
const MAX_ISSUES = 20;

/** The 1-based line of the place a path leads to, or of the deepest part of the path that is there. */
export type LineOf = (path: readonly PropertyKey[]) => number | undefined;

/** @throws VALIDATION_FAILED naming `what`, and the line of each thing that is wrong. */
export function readYaml(source: string, what: string): { value: unknown; lineOf: LineOf } {
  const refuse = (message: string, line = 1, path = "") => validationFailed(what, [{ path, message, line }]);
  if (source.length > MAX_YAML_CHARS) throw validationFailed(what, [{ path: "", message: `Longer than ${MAX_YAML_CHARS} characters` }]);
  const crowd = findCrowd(source);
  if (crowd) throw refuse(crowd.message, crowd.line);

  const lines = new LineCounter();
  const lineAt = (offset: number | undefined) => lines.linePos(offset ?? 0).line || 1;
  const document = parseDocument(source, {
    lineCounter: lines,
    version: "1.2",
    schema: "core",
    uniqueKeys: false,
    stringKeys: true,
    prettyErrors: false,
  });
  const wrong = [...document.errors, ...document.warnings]; // an unknown tag is only a warning there
  if (wrong.length > 0) {
    const issues = wrong
      .slice(0, MAX_ISSUES)
      .map(({ code, message, pos }) => ({ path: "", message: inOurWords(code, message), line: lineAt(pos[0]) }));
    throw validationFailed(what, issues satisfies Issue[]);
  }

  const lineOf: LineOf = (path) => lineAt(offsetOf(document.contents, path));
  const { twice, lastAlias } = survey(document.contents);
  if (twice.length > 0) {
    const issues = twice.map(({ path, offset }) => ({ path: formatPath(path), message: "Stands here twice", line: lineAt(offset) }));
    throw validationFailed(what, issues satisfies Issue[]);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    if (!(cause instanceof ReferenceError)) throw cause; // the library's way to say: an alias too many, or to nothing
    throw refuse("Too many aliases, or one to an anchor that is not there", lineAt(lastAlias));
  }
  const odd = findOddity(value);
  if (odd) throw refuse(odd.message, lineOf(odd.path), formatPath(odd.path));
  return { value, lineOf };
}

function inOurWords(code: string, message: string): string {
  if (code === "MULTIPLE_DOCS") return "Expected one document, this begins another";
  if (code === "RESOURCE_EXHAUSTION" || message.includes("call stack")) return "Nested too deeply";
  if (code === "MISSING_CHAR" && message.startsWith("Missing closing")) return `${message.replace("quote", " quote")}: it was opened above`;
  if (code === "NON_STRING_KEY") return "The name of a field must be plain text";
  return message.length > 200 ? `${message.slice(0, 200)}…` : message; // some repeat what they complain of
}

/** Counts before anything is built: far too many tokens, or brackets open at once. */
function findCrowd(source: string): { message: string; line: number } | null {
  let [tokens, open, line] = [0, 0, 1];
  for (const token of new Lexer().lex(source)) {
    if (++tokens > MAX_TOKENS) return { message: "Too large for a playbook", line };
    if (token === "[" || token === "{") open++;
    if (token === "]" || token === "}") open--;
    if (open > MAX_BRACKETS) return { message: "Nested too deeply", line };
    if (token.includes("\n")) line += token.split("\n").length - 1;
  }
  return null;
}

type Survey = { twice: { path: readonly PropertyKey[]; offset: number | undefined }[]; lastAlias: number | undefined };

/** Keys that stand twice in their map, and where the last alias is. The library's own check of keys compares each with each: minutes for a long map. */
function survey(node: unknown, found: Survey = { twice: [], lastAlias: undefined }, path: readonly PropertyKey[] = []): Survey {
  if (isAlias(node)) found.lastAlias = startOf(node);
  if (!isCollection(node) || path.length > MAX_DEPTH) return found;
  const seen = new Set<string>();
  for (const [i, item] of node.items.entries()) {
    const key = isMap(node) ? keyOf(item as Pair) : i;
    if (typeof key === "string" && seen.has(key) && found.twice.length < MAX_ISSUES) {
      found.twice.push({ path: [...path, key], offset: startOf((item as Pair).key) });
    }
    if (typeof key === "string") seen.add(key);
    survey(isMap(node) ? (item as Pair).value : item, found, [...path, key]);
  }
  return found;
}

/** What no playbook holds and our own code must not meet: values without end (an alias into itself), and names that are not plain properties. */
export function findOddity(value: unknown, path: readonly PropertyKey[] = []): { path: readonly PropertyKey[]; message: string } | null {
  if (typeof value !== "object" || value === null) return null;
  if (path.length >= MAX_DEPTH) return { path, message: `Nested deeper than ${MAX_DEPTH} levels` };
  for (const [key, each] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    const odd = key === "__proto__" ? { path: at, message: "Unknown field" } : findOddity(each, at);
    if (odd) return odd;
  }
  return null;
}

function offsetOf(root: unknown, path: readonly PropertyKey[]): number | undefined {
  let node = root;
  let offset = startOf(root);
  for (const key of path) {
    if (!isCollection(node)) break;
    if (isMap(node)) {
      const pair = node.items.find((item) => keyOf(item) === String(key));
      if (!pair) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else {
      node = node.items[Number(key)];
      if (node === undefined) break;
      offset = startOf(node) ?? offset;
    }
  }
  return offset;
}

const keyOf = ({ key }: Pair): string => String(isScalar(key) ? key.value : key);
const startOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined);
