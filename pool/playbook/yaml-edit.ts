/**
 * A repair, put into the YAML that its author wrote: only what changes is written anew, comments and layout stay. Text is spliced, and the result is
 * parsed to see that it says what was meant; where the place is too unusual for that, the library writes the whole document, comments kept.
 */
import { isDeepStrictEqual } from "node:util";
import { isMap, isScalar, isSeq, type Node, type Pair, parseDocument, Scalar, stringify, type YAMLMap, type YAMLSeq } from "yaml";
import { AppError } from "../../shared/errors.ts";
import type { Playbook, Step } from "../../shared/playbook.ts";
import { parsePlaybook } from "./load.ts";
import { withParsedItems } from "./places.ts";
import { type Chain, changesSelectorsOnly, type Repair, repairedStep } from "./repair.ts";

type Splice = { start: number; end: number; text: string };

/** Does the playbook still have the step that was repaired? */
export const stillApplies = (playbook: Playbook, { step, was }: Repair): boolean => {
  const now = playbook.steps[step];
  return now !== undefined && isDeepStrictEqual(plain(withParsedItems(now)), plain(withParsedItems(was)));
};

/** The text with the repair in it. @throws CONFLICT: the step is another one by now */
export function applyRepair(source: string, repair: Repair): { text: string; playbook: Playbook } {
  const before = parsePlaybook(source);
  if (!stillApplies(before, repair)) throw new AppError("CONFLICT", `Step ${repair.step + 1} is not the one any more that was repaired`);
  const meant = repairedStep(repair);
  const isMeant = (playbook: Playbook) =>
    playbook.steps.every((step, i) => isDeepStrictEqual(shape(step), shape(i === repair.step ? meant : (before.steps[i] as Step)))) &&
    isDeepStrictEqual(plain({ ...playbook, steps: [] }), plain({ ...before, steps: [] }));
  for (const write of [spliced, rewritten]) {
    const text = write(source, repair, meant);
    const playbook = text === null ? null : parsedOrNull(text);
    if (text !== null && playbook && playbook.steps.length === before.steps.length && isMeant(playbook)) return { text, playbook };
  }
  throw new AppError("CONFLICT", `The repair of step ${repair.step + 1} cannot be written into this YAML`);
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const shape = (step: Step): unknown => plain(withParsedItems(step));

function parsedOrNull(text: string): Playbook | null {
  try {
    return parsePlaybook(text);
  } catch {
    return null;
  }
}

/** Null: the place is written in a way that splicing does not know. */
function spliced(source: string, repair: Repair, meant: Step): string | null {
  const document = parseDocument(source, { version: "1.2", schema: "core" });
  const step = document.getIn(["steps", repair.step], true);
  if (!isMap(step)) return null;
  const splices = changesSelectorsOnly(repair) ? selectorSplices(source, step, repair) : shapeSplices(source, step, repair, meant);
  if (splices === null) return null;
  const eol = source.includes("\r\n") ? "\r\n" : "\n";
  return splices
    .toSorted((a, b) => b.start - a.start)
    .reduce((text, { start, end, text: put }) => text.slice(0, start) + put.replaceAll("\n", eol) + text.slice(end), source);
}

function selectorSplices(source: string, step: YAMLMap, { was, items }: Repair): Splice[] | null {
  const all: Splice[] = [];
  for (const item of items) {
    if (!("kept" in item) || item.chain === null) continue;
    const at = was.action === "sequence" ? step.getIn(["params", "actions", item.kept], true) : step;
    const splices = isMap(at) ? chainSplices(source, at, item.chain) : null;
    if (splices === null) return null;
    all.push(...splices);
  }
  return all;
}

function chainSplices(source: string, map: YAMLMap, chain: Chain): Splice[] | null {
  const pair = pairOf(map, "selector");
  const value = pair?.value;
  if (isPlainScalar(source, value)) {
    const [start, end] = value.range as [number, number, number];
    if (map.flow) return [{ start, end, text: inFlow(chain) }];
    const indent = " ".repeat(columnOf(source, startOf(pair?.key)) + 2);
    const block = [`primary: ${inBlock(chain.primary)}`, "fallbacks:", ...chain.fallbacks.map((each) => `  - ${inBlock(each)}`)];
    return [{ start: withoutSpacesBefore(source, start), end, text: block.map((line) => `\n${indent}${line}`).join("") }];
  }
  if (!isMap(value)) return null;
  const primary = pairOf(value, "primary")?.value;
  if (!isPlainScalar(source, primary)) return null;
  const [start, end] = primary.range as [number, number, number];
  const had = pairOf(value, "fallbacks")?.value;
  const count = isSeq(had) ? had.items.length : 0;
  const fresh = chain.fallbacks.slice(0, chain.fallbacks.length - count);
  const added = fallbackSplices(source, value, { primary: pairOf(value, "primary") as Pair, end, had, fresh });
  return added && [{ start, end, text: (value.flow ? inFlowText : inBlock)(chain.primary) }, ...added];
}

type Place = { primary: Pair /** Of the primary's value. */; end: number; had: unknown; fresh: readonly string[] };

/** New ones stand before those that were there. */
function fallbackSplices(source: string, map: YAMLMap, { primary, end, had, fresh }: Place): Splice[] | null {
  if (fresh.length === 0) return [];
  if (had === undefined || (isScalar(had) && had.value === null && !map.flow)) {
    if (had !== undefined) return null;
    if (map.flow) return [{ start: end, end, text: `, fallbacks: [${fresh.map(inFlowText).join(", ")}]` }];
    const indent = " ".repeat(columnOf(source, startOf(primary.key)));
    const at = endOfLine(source, end);
    const lines = ["fallbacks:", ...fresh.map((each) => `  - ${inBlock(each)}`)];
    return [{ start: at, end: at, text: lines.map((line) => `\n${indent}${line}`).join("") }];
  }
  if (!isSeq(had) || hasProps(had)) return null;
  const [first] = (had as YAMLSeq<Node>).items;
  if (had.flow) {
    const at = first?.range?.[0] ?? (had.range?.[0] as number) + 1;
    return [{ start: at, end: at, text: fresh.map(inFlowText).join(", ") + (first ? ", " : "") }];
  }
  if (!first?.range) return null;
  const dash = source.lastIndexOf("-", first.range[0] - 1);
  const column = columnOf(source, dash);
  if (source.slice(dash - column, dash).trim() !== "") return null;
  return [{ start: dash, end: dash, text: fresh.map((each) => `- ${inBlock(each)}\n${" ".repeat(column)}`).join("") }];
}

/** One action becomes a sequence; or a sequence gets an action more. */
function shapeSplices(source: string, step: YAMLMap, { was }: Repair, meant: Step): Splice[] | null {
  if (step.flow || was.action === "sequence") return null;
  const [action, selector, params] = ["action", "selector", "params"].map((name) => pairOf(step, name));
  if (!action || !isPlainScalar(source, action.value)) return null;
  const place = selector ?? params;
  if (!place || hasComment(source, selector) || hasComment(source, params)) return null;
  const [start, end] = (action.value as Scalar).range as [number, number, number];
  const indent = " ".repeat(columnOf(source, startOf(place.key)));
  const block = stringify({ params: { actions: shortItems(meant) } }, { lineWidth: 0 }).trimEnd();
  const splices = [
    { start, end, text: "sequence" },
    { ...extentOf(source, place), text: block.replaceAll("\n", `\n${indent}`) },
  ];
  if (selector && params) {
    const { start: from, end: to } = extentOf(source, params);
    const line = from - columnOf(source, from);
    if (source.slice(line, from).trim() !== "") return null; // it shares its line with the dash
    splices.push({ start: Math.max(0, line - 1), end: to, text: "" }); // with the line break before it
  }
  return splices;
}

/** As an author would write them: what says nothing is left out. */
const shortItems = (meant: Step): object[] =>
  (
    withParsedItems(meant).params.actions as { action: string; selector: (Chain & { description: string | null }) | null; params: object }[]
  ).map(({ action, selector, params }) => ({
    action,
    ...(selector === null ? {} : { selector: shortSelector(selector) }),
    ...(Object.keys(params).length === 0 ? {} : { params }),
  }));
const shortSelector = ({ primary, fallbacks, description }: Chain & { description: string | null }): string | object =>
  fallbacks.length === 0 && description === null
    ? primary
    : { primary, ...(fallbacks.length > 0 ? { fallbacks } : {}), ...(description === null ? {} : { description }) };

/** The whole document by the library: it keeps comments, not every space. */
function rewritten(source: string, repair: Repair, meant: Step): string | null {
  const document = parseDocument(source, { version: "1.2", schema: "core" });
  const at = ["steps", repair.step];
  try {
    if (changesSelectorsOnly(repair)) {
      for (const item of repair.items) {
        if (!("kept" in item) || item.chain === null) continue;
        const place = meant.action === "sequence" ? [...at, "params", "actions", item.kept] : at;
        const old = document.getIn([...place, "selector", "description"]);
        document.setIn(
          [...place, "selector"],
          document.createNode({ ...item.chain, ...(typeof old === "string" ? { description: old } : {}) }),
        );
      }
    } else {
      document.setIn([...at, "action"], "sequence");
      document.deleteIn([...at, "selector"]);
      document.setIn([...at, "params"], document.createNode({ actions: shortItems(meant) }));
    }
    return document.toString({ lineWidth: 0 });
  } catch {
    return null; // an alias in the way
  }
}

const pairOf = (map: YAMLMap, name: string): Pair | undefined =>
  map.items.find(({ key }) => isScalar(key) && key.value === name) as Pair | undefined;

/** On one line, and nobody refers to it. */
const isPlainScalar = (source: string, node: unknown): node is Scalar<string> =>
  isScalar(node) &&
  typeof node.value === "string" &&
  node.type !== Scalar.BLOCK_FOLDED &&
  node.type !== Scalar.BLOCK_LITERAL &&
  !source.slice(node.range?.[0], node.range?.[1]).includes("\n") &&
  !hasProps(node);
const hasProps = (node: Node): boolean =>
  Boolean((node as Scalar).anchor) || Boolean((node as Scalar).tag && !(node as Scalar).tag?.startsWith("tag:yaml.org,2002:"));

const startOf = (node: unknown): number => (node as Node).range?.[0] as number;
const columnOf = (source: string, offset: number): number => offset - (source.lastIndexOf("\n", offset - 1) + 1);
const endOfLine = (source: string, offset: number): number => {
  const found = /\r?\n|$/.exec(source.slice(offset));
  return offset + (found?.index ?? 0);
};
const withoutSpacesBefore = (source: string, offset: number): number => offset - (/ *$/.exec(source.slice(0, offset))?.[0].length ?? 0);

/** From the key to the end of the value, without the line break after it. */
function extentOf(source: string, { key, value }: Pair): { start: number; end: number } {
  const start = startOf(key);
  const last = (value as Node).range?.[1] as number;
  return { start, end: start + source.slice(start, last).trimEnd().length };
}

const hasComment = (source: string, pair: Pair | undefined): boolean => {
  if (!pair) return false;
  const { start, end } = extentOf(source, pair);
  return source
    .slice(start, end)
    .split("\n")
    .some((line) => /(^|\s)#\s/.test(line));
};

/** In block a selector is plainer than in flow, where brackets mean something. */
const inBlock = (text: string): string => stringify(text, { lineWidth: 0, blockQuote: false }).trim();
const inFlowText = (text: string): string => stringify([text], { collectionStyle: "flow", lineWidth: 0 }).trim().slice(1, -1).trim();
const inFlow = ({ primary, fallbacks }: Chain): string =>
  `{ primary: ${inFlowText(primary)}, fallbacks: [${fallbacks.map(inFlowText).join(", ")}] }`;
