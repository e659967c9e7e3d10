/** HTML → markdown, tables included. */
import TurndownService from "turndown";

/** Ends of cells and rows while a table is put together; characters that no page has a meaning for. */
const CELL_END = "\uF8E0";
const ROW_END = "\uF8E1";

/** Trusts that the HTML holds only what is shown (the engine in the page leaves out scripts, styles and what is hidden), and is not too deep. */
export function toMarkdown(html: string): string {
  return converter.turndown(html.replace(/[\uF8E0\uF8E1]/g, "")).trim();
}

const converter = new TurndownService({ headingStyle: "atx", codeBlockStyle: "fenced", bulletListMarker: "-", emDelimiter: "*" });
converter.addRule("cell", { filter: ["th", "td"], replacement: (content) => oneLine(content) + CELL_END });
converter.addRule("row", { filter: "tr", replacement: (content) => content + ROW_END });
converter.addRule("rows", { filter: ["thead", "tbody", "tfoot"], replacement: (content) => content });
converter.addRule("table", { filter: "table", replacement: (content) => `\n\n${toTable(content)}\n\n` });

/** The first row is the header, as markdown wants one. What stands between the rows, a caption, comes first. */
function toTable(content: string): string {
  const pieces = content.split(ROW_END);
  const caption = pieces.map((piece) => (piece.includes(CELL_END) ? "" : piece.trim())).filter(Boolean);
  const [head, ...body] = pieces.filter((piece) => piece.includes(CELL_END)).map((piece) => piece.split(CELL_END).slice(0, -1));
  if (!head) return caption.join("\n\n");
  const width = Math.max(...[head, ...body].map((cells) => cells.length));
  const line = (cells: string[]) => `| ${Array.from({ length: width }, (_, i) => cells[i]?.trim() ?? "").join(" | ")} |`;
  return [...caption, [line(head), line(Array(width).fill("---")), ...body.map(line)].join("\n")].join("\n\n");
}

const oneLine = (text: string): string =>
  text
    .replace(/\s*\n\s*/g, " ")
    .replaceAll("|", "\\|")
    .trim();
