/** A snapshot's nodes as JSON text, on their way from the page to the trace. */
import { type Clean, cleanDeep } from "./clean.ts";

/** Elements whose text is not read with what stands around it. */
const APART = new Set(["STYLE", "style", "TITLE"]);
/** So much of each end of a text that is only referred to is known: a secret may begin or end there. */
const END_CHARS = 200;

/** What stands, masked, in each node of the snapshots that later ones may refer to: by their moment, counted from 0, then by the node's number. */
export type ShownTexts = string[][];

export type MaskedHtml = {
  html: string;
  /** Does a secret lie across parts that are only referred to? Then it cannot be replaced here: the snapshot must not be written, and the next be whole. */
  isUnmasked: boolean;
};

type Node = [name: string, attributes?: unknown, ...children: unknown[]];
type Reference = [[back: number, index: number]];
/** A text of the tree, and where it stands. */
type Piece = { text: string; parent: unknown[] | null; at: number };

/**
 * The same text where there is nothing to mask, else made anew with each string masked by itself, as a secret may look like JSON, and the
 * texts of neighbouring nodes together, as a page may have split one. `shown` takes this snapshot's texts as its last.
 * @throws SyntaxError when it is not the JSON of one node: one such line would blank the viewer
 */
export function maskedHtml(html: string, mask: Clean, shown: ShownTexts = []): MaskedHtml {
  const root: unknown = JSON.parse(html);
  if (!Array.isArray(root) || root.length === 0) throw new SyntaxError("A snapshot is a node, and a node is an array");
  if (mask.isIdle?.()) return { html, isUnmasked: false };
  const split = mask.pieces ? maskPieces(root, mask.pieces, shown) : { isReplaced: false, isUnmasked: false };
  if (mask.pieces) shown.push(textsOf(root, shown));
  const isSame = !split.isReplaced && mask(html) === html;
  return { html: isSame ? html : JSON.stringify(cleanDeep(root, mask)), isUnmasked: split.isUnmasked };
}

function maskPieces(root: unknown[], pieces: NonNullable<Clean["pieces"]>, shown: ShownTexts) {
  const found: Piece[] = [];
  collect(root, null, 0, shown, found);
  const masked = pieces(found.map(({ text }) => text));
  const changed = found.map(({ text }, i) => masked[i] !== text);
  for (const [i, { parent, at }] of found.entries()) if (parent && changed[i]) parent[at] = masked[i];
  const isReplaced = found.some(({ parent }, i) => parent && changed[i]);
  return { isReplaced, isUnmasked: !isReplaced && changed.includes(true) };
}

function collect(node: unknown, parent: unknown[] | null, at: number, shown: ShownTexts, into: Piece[]): void {
  if (typeof node === "string") into.push({ text: node, parent, at });
  else if (isReference(node)) into.push({ text: referred(node, shown), parent: null, at });
  else if (Array.isArray(node) && !APART.has(node[0])) for (let i = 2; i < node.length; i++) collect(node[i], node, i, shown, into);
}

const isReference = (node: unknown): node is Reference => Array.isArray(node) && Array.isArray(node[0]);
const referred = ([[back, index]]: Reference, shown: ShownTexts): string => shown[shown.length - back]?.[index] ?? "";

/** The text in each node, numbered as the viewer numbers them: children before their parent, references not at all. */
function textsOf(root: unknown[], shown: ShownTexts): string[] {
  const texts: string[] = [];
  const visit = (node: unknown): string => {
    if (isReference(node)) return referred(node, shown);
    if (typeof node === "string") return texts[texts.push(ends(node)) - 1] as string;
    if (!Array.isArray(node)) return "";
    const inside = (node as Node).slice(2).map(visit);
    return texts[texts.push(APART.has(node[0]) ? "" : ends(inside.join(""))) - 1] as string;
  };
  visit(root);
  return texts;
}

/** Both ends, with a mark between them that is in no secret. */
const ends = (text: string): string => (text.length <= END_CHARS * 2 ? text : `${text.slice(0, END_CHARS)}\ufffc${text.slice(-END_CHARS)}`);
