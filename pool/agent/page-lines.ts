/** A page map as lines of text, within a token budget. The same map gives the same lines. */
import { counted } from "../../shared/counted.ts";
import type { MapItem, PageMap } from "../actions/page-map.ts";
import { estimateTokens } from "./tokens.ts";

/** `rank`: what is left out last when there is no room; 0 always stays. */
export type PageLine = { text: string; rank: number };

/** Navigation may take so much of the budget. */
const NAVIGATION_SHARE = 0.3;

const RANKS: Record<MapItem["kind"], number> = { heading: 1, field: 1, action: 2, table: 3, link: 4, landmark: 4, text: 5 };

export function toLines(map: PageMap): PageLine[] {
  return map.frames.flatMap(({ url, items }) => [
    ...(url === null ? [] : [{ text: `frame ${JSON.stringify(url)}:`, rank: 2 }]),
    ...itemLines(items),
  ]);
}

export const itemLines = (items: readonly MapItem[]): PageLine[] =>
  items.flatMap((item) => {
    const rank =
      item.role === "alert" || item.role === "status" || item.role.endsWith("dialog") ? 1 : item.nav ? NAVIGATION : RANKS[item.kind];
    return [
      { text: itemText(item), rank },
      ...(item.rows ?? []).map((row) => ({ text: `  | ${row.map(plain).join(" | ")} |`, rank: RANKS.table })),
    ];
  });

const NAVIGATION = 6;
const plain = (cell: string): string => JSON.stringify(cell).slice(1, -1);

function itemText({ kind, role, name, level, value, masked, states = [], options, moreRows, selectors, rows }: MapItem): string {
  const words = [
    kind === "heading" ? `h${level || 2}` : kind === "text" ? role || "text" : kind === "landmark" ? `[${role}]` : role || kind,
    name === "" ? "" : JSON.stringify(name),
    kind === "field" && value !== undefined ? `= ${masked ? value || "empty" : JSON.stringify(value)}` : "",
    kind === "link" && value ? `to ${value}` : "",
    options?.length ? `of ${options.map((each) => JSON.stringify(each)).join(", ")}` : "",
    rows ? `${counted(rows.length + (moreRows ?? 0), "row")}${moreRows ? `, ${moreRows} of them not shown` : ""}` : "",
    states.length > 0 ? `(${states.join(", ")})` : "",
    selectors[0] === undefined ? "" : `→ ${selectors[0]}`,
  ];
  return words.filter((each) => each !== "").join(" ");
}

/** Those lines for which there is room, in their order, and a line that says how many were left out, with `more` that were never made. */
export function fitLines(lines: readonly PageLine[], budget: number, more = 0): string[] {
  const costs = lines.map(({ text }) => estimateTokens(text) + 1);
  const kept = new Set<number>();
  let left = budget - 25; // for the line that says so
  let navigation = Math.floor(budget * NAVIGATION_SHARE);
  for (let rank = 0; rank <= NAVIGATION; rank += 1) {
    for (const [i, line] of lines.entries()) {
      const cost = costs[i] as number;
      if (line.rank !== rank || cost > left || (rank === NAVIGATION && cost > navigation)) continue;
      if (rank === NAVIGATION) navigation -= cost;
      left -= cost;
      kept.add(i);
    }
  }
  const texts = lines.filter((_, i) => kept.has(i)).map(({ text }) => text);
  const missing = lines.length - texts.length + more;
  return missing === 0 ? texts : [...texts, `(${missing} more lines for which there was no room: get_dom shows parts of the page)`];
}
