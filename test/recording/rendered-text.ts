/** What a reader of a trace's snapshots sees: the text of each, references followed, as the viewer does. */
type Node = unknown;
type Line = { type: string; snapshot: { frameId: string; html: Node } };

export function renderedTexts(events: string): string[] {
  const lines = events
    .split("\n")
    .filter((line) => line.startsWith('{"type":"frame-snapshot"'))
    .map((line) => JSON.parse(line) as Line);
  const frames = new Map<string, { html: Node; nodes: Node[] }[]>();
  return lines.map(({ snapshot: { frameId, html } }) => {
    const earlier = frames.get(frameId) ?? [];
    frames.set(frameId, earlier);
    earlier.push({ html, nodes: numbered(html) });
    const textOf = (node: Node, at: number): string => {
      if (typeof node === "string") return node;
      if (!Array.isArray(node)) return "";
      if (!Array.isArray(node[0]))
        return node[0] === "STYLE"
          ? ""
          : node
              .slice(2)
              .map((child) => textOf(child, at))
              .join("");
      const [back, index] = node[0] as [number, number];
      return textOf(earlier[at - back]?.nodes[index], at - back);
    };
    return textOf(html, earlier.length - 1);
  });
}

/** Children before their parent; what is a reference has no number here. */
function numbered(node: Node, into: Node[] = []): Node[] {
  if (Array.isArray(node) && Array.isArray(node[0])) return into;
  if (Array.isArray(node)) for (const child of node.slice(2)) numbered(child, into);
  into.push(node);
  return into;
}
