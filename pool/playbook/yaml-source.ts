/** YAML text → a plain value, and the line of every place in it. One document, no duplicate keys, no alias bombs. */
import { isCollection, isMap, isNode, isScalar, LineCounter, type Node, type Pair, parseDocument } from "yaml";
import { formatPath, type Issue, validationFailed } from "../../shared/errors.ts";

export const MAX_YAML_CHARS = 500_000;
const MAX_ALIASES = 50;
const MAX_DEPTH = 32;

/** The 1-based line of the place a path leads to, or of the deepest part of the path that is there. */
export type LineOf = (path: readonly PropertyKey[]) => number | undefined;

/** @throws VALIDATION_FAILED naming `what` and the line of each syntax error. */
export function readYaml(source: string, what: string): { value: unknown; lineOf: LineOf } {
  const refuse = (issues: Issue[]) => validationFailed(what, issues);
  if (source.length > MAX_YAML_CHARS) {
    throw refuse([{ path: "", message: `Longer than ${MAX_YAML_CHARS} characters` }]);
  }
  const lines = new LineCounter();
  try {
    const document = parseDocument(source, { lineCounter: lines, version: "1.2", schema: "core", uniqueKeys: true, prettyErrors: false });
    const errors = [...document.errors, ...document.warnings]; // a tag that nobody knows is only a warning there
    if (errors.length > 0) {
      throw refuse(errors.slice(0, 20).map(({ message, pos }) => ({ path: "", message, line: lines.linePos(pos[0]).line })));
    }
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    const lineOf: LineOf = (path) => lineAt(document.contents, path, lines);
    const deep = tooDeep(value);
    if (deep) throw refuse([{ path: formatPath(deep), message: `Nested deeper than ${MAX_DEPTH} levels`, line: lineOf(deep) }]);
    return { value, lineOf };
  } catch (error) {
    if (error instanceof Error && error.name === "AppError") throw error;
    if (error instanceof RangeError) throw refuse([{ path: "", message: "Nested too deeply" }]);
    if (error instanceof ReferenceError) throw refuse([{ path: "", message: `More than ${MAX_ALIASES} uses of aliases` }]);
    throw refuse([{ path: "", message: error instanceof Error ? error.message : "Not YAML" }]);
  }
}

/** The path to the first place below the depth limit; aliases can make a value that contains itself. */
export function tooDeep(value: unknown, path: readonly PropertyKey[] = []): readonly PropertyKey[] | null {
  if (typeof value !== "object" || value === null) return null;
  if (path.length >= MAX_DEPTH) return path;
  for (const [key, each] of Object.entries(value)) {
    const deep = tooDeep(each, [...path, Array.isArray(value) ? Number(key) : key]);
    if (deep) return deep;
  }
  return null;
}

function lineAt(root: unknown, path: readonly PropertyKey[], lines: LineCounter): number | undefined {
  let node: unknown = root;
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
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

const keyOf = ({ key }: Pair): string => String(isScalar(key) ? key.value : key);
const startOf = (node: unknown): number | undefined => (isNode(node) ? ((node as Node).range?.[0] ?? undefined) : undefined);
