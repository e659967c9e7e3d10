/** A snapshot's nodes as JSON text, on their way from the page to the trace. */
import { cleanDeep } from "./clean.ts";

/**
 * The same text where there is nothing to mask, else made anew with each string masked by itself: a secret may look like JSON.
 * @throws SyntaxError when it is not the JSON of one node: one such line would blank the viewer
 */
export function maskedHtml(html: string, mask: (text: string) => string): string {
  const nodes: unknown = JSON.parse(html);
  if (!Array.isArray(nodes) || nodes.length === 0) throw new SyntaxError("A snapshot is a node, and a node is an array");
  return mask(html) === html ? html : JSON.stringify(cleanDeep(nodes, mask));
}
