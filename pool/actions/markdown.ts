/** HTML → markdown, tables included. */
import TurndownService from "turndown";

/** Trusts that the HTML holds only what is shown (the engine in the page leaves out scripts, styles and what is hidden). */
export function toMarkdown(html: string): string {
  return converter.turndown(html).trim();
}

const converter = new TurndownService({ headingStyle: "atx", codeBlockStyle: "fenced", bulletListMarker: "-", emDelimiter: "*" });

/** Rows of cells; the first row is the header, as markdown wants one. A table inside a table stays text. */
converter.addRule("table", {
  filter: (node) => node.nodeName === "TABLE" && !hasAncestor(node, "TABLE"),
  replacement(_content, node) {
    const rows = Array.from((node as HTMLElement).querySelectorAll("tr")).map((row) =>
      Array.from(row.children) // Array.from: the parser's lists are no iterables
        .filter((cell) => cell.nodeName === "TD" || cell.nodeName === "TH")
        .map((cell) => oneLine(converter.turndown(cell.innerHTML))),
    );
    const [head, ...body] = rows.filter((cells) => cells.length > 0);
    if (!head) return "";
    const width = Math.max(head.length, ...body.map((cells) => cells.length));
    const line = (cells: string[]) => `| ${Array.from({ length: width }, (_, i) => cells[i] ?? "").join(" | ")} |`;
    return `\n\n${[line(head), line(Array(width).fill("---")), ...body.map(line)].join("\n")}\n\n`;
  },
});

const oneLine = (text: string): string =>
  text
    .replace(/\s*\n\s*/g, " ")
    .replaceAll("|", "\\|")
    .trim();

function hasAncestor(node: Node, name: string): boolean {
  for (let each = node.parentNode; each; each = each.parentNode) if (each.nodeName === name) return true;
  return false;
}
