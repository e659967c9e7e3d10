/** A page map as a model may see it: every text of it filtered, in the order of the page. */
import { shownUrl } from "../actions/goto.ts";
import type { MapItem, PageMap } from "../actions/page-map.ts";
import { filterTexts, harmless, REMOVED } from "./page-text.ts";

/** Of one page; far more than a model is shown of it. What is filtered holds up the node, so what comes after so much is left out, and counted as `left`. */
const MAX_TEXTS = 12_000;
const MAX_CHARS = 600_000;

export function filterPage(map: PageMap): PageMap {
  const fits = createRoom();
  const kept = map.frames.map(({ url, items }) => ({
    url: fits([url ?? ""]) ? url : url && "",
    items: items.filter((item) => fits(allTexts(item))),
  }));
  const count = (frames: PageMap["frames"]) => frames.reduce((sum, { items }) => sum + items.length, 0);
  const parts = [map.title, readableUrl(map.url), ...kept.flatMap(({ url, items }) => [url ?? "", ...items.flatMap(textsOf)])];
  const clean = filterTexts(parts);
  let at = 0;
  const next = () => clean[at++] as string;
  const title = next();
  const url = next() === REMOVED ? withoutPath(map.url) : map.url;
  const selectors = selectorsOf(kept.flatMap(({ items }) => items));
  const frames = kept.map(({ url, items }) => {
    const name = next();
    return { url: url === null ? null : name, items: items.map((item) => withTexts(item, next, selectors)) };
  });
  return { ...map, title, url, frames, left: map.left + count(map.frames) - count(frames) };
}

/** `left`: how many of them were over what can be filtered. */
export function filterItems(items: readonly MapItem[]): { items: MapItem[]; left: number } {
  const fits = createRoom();
  const kept = items.filter((item) => fits(allTexts(item)));
  const clean = filterTexts(kept.flatMap(textsOf));
  let at = 0;
  const selectors = selectorsOf(kept);
  return { items: kept.map((item) => withTexts(item, () => clean[at++] as string, selectors)), left: items.length - kept.length };
}

/** The address of a page, in a few hundred characters and without what it carries, as a model may see it. */
export function filterUrl(url: string): string {
  const shown = shownUrl(url);
  return filterTexts([readableUrl(shown)])[0] === REMOVED ? withoutPath(shown) : shown;
}
const withoutPath = (url: string): string => `${URL.parse(url)?.origin ?? ""}/[removed]`;

/** Once something has no room, nothing after it has. */
function createRoom(): (texts: readonly string[]) => boolean {
  let texts = 0;
  let chars = 0;
  return (more) => {
    texts += more.length;
    for (const { length } of more) chars += length;
    return texts <= MAX_TEXTS && chars <= MAX_CHARS;
  };
}

/** A selector quotes the page. One that would have to be changed no longer finds its element. */
const selectorsOf = (items: readonly MapItem[]): Set<string> => new Set(harmless(items.flatMap((item) => item.selectors)));

const allTexts = (item: MapItem): string[] => [...textsOf(item), ...item.selectors];

/** In the order in which `withTexts` takes them back. */
const textsOf = ({ name, value, options = [], rows = [] }: MapItem): string[] => [
  name,
  readableUrl(value ?? ""),
  ...options,
  ...rows.flat(),
];

function withTexts(item: MapItem, next: () => string, selectors: Set<string>): MapItem {
  const name = next();
  const value = next();
  const filtered: MapItem = { ...item, name, selectors: item.selectors.filter((each) => selectors.has(each)) };
  if (item.value !== undefined) filtered.value = value === readableUrl(item.value) ? item.value : value;
  if (item.options) filtered.options = item.options.map(next);
  if (item.rows) filtered.rows = item.rows.map((row) => row.map(next));
  return filtered;
}

/** Words of a path stand apart there as they do in a text. */
const readableUrl = (text: string): string => (/^(?:https?:\/|\/)/.test(text) ? text.replace(/[-_/?&=+.]+/g, " ") : text);
