/** A page map as a model may see it: every text of it filtered, in the order of the page. */
import type { MapItem, PageMap } from "../actions/page-map.ts";
import { filterTexts, harmless, REMOVED } from "./page-text.ts";

export function filterPage(map: PageMap): PageMap {
  const parts = [map.title, readableUrl(map.url), ...map.frames.flatMap(({ url, items }) => [url ?? "", ...items.flatMap(textsOf)])];
  const clean = filterTexts(parts);
  let at = 0;
  const next = () => clean[at++] as string;
  const title = next();
  const url = next() === REMOVED ? `${URL.parse(map.url)?.origin ?? ""}/ ${REMOVED}` : map.url;
  const selectors = selectorsOf(map.frames.flatMap(({ items }) => items));
  const frames = map.frames.map(({ url, items }) => {
    const name = next();
    return { url: url === null ? null : name, items: items.map((item) => withTexts(item, next, selectors)) };
  });
  return { ...map, title, url, frames };
}

export function filterItems(items: readonly MapItem[]): MapItem[] {
  const clean = filterTexts(items.flatMap(textsOf));
  let at = 0;
  const selectors = selectorsOf(items);
  return items.map((item) => withTexts(item, () => clean[at++] as string, selectors));
}

/** A selector quotes the page. One that would have to be changed no longer finds its element. */
const selectorsOf = (items: readonly MapItem[]): Set<string> => new Set(harmless(items.flatMap((item) => item.selectors)));

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
