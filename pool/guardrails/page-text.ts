/** What of a page's words a model may read: nothing invisible, and nothing that gives orders to a model. Pure: the same texts give the same texts. */
import { decoded } from "./decode.ts";
import { foldCase, foldLookalikes, withoutInvisible } from "./fold.ts";
import { SPOKEN, SQUEEZED } from "./injection-words.ts";

/** Stands where words were taken out. */
export const REMOVED = "[removed: words meant for a model]";
/** A longer line is looked at sentence by sentence: one of them does not cost all the others. */
const LONG_LINE = 400;
const LONGEST_SENTENCE = 4_000;

/** Each text as it may be shown. They stand in the order in which the page shows them: an order may be split over several. */
export function filterTexts(texts: readonly string[]): string[] {
  const clean = texts.map(withoutInvisible);
  const bare = clean.map(withoutTags);
  const bad = new Set([...saying(clean), ...(bare.some((text, i) => text !== clean[i]) ? saying(bare) : []), ...encoded(clean)]);
  return bad.size === 0 ? clean : clean.map((text, i) => (bad.has(i) && /\S/.test(text) ? REMOVED : text));
}

/** A text of any length. */
export function filterText(text: string): string {
  const pieces = withoutInvisible(text)
    .split(/(\n)/)
    .flatMap((line) => (line.length <= LONG_LINE ? [line] : sentences(line)));
  return filterTexts(pieces).join("");
}

/** Every text of a value that is JSON. */
export const filterDeep = <T>(value: T): T =>
  JSON.parse(JSON.stringify(value), (_key, each: unknown) => (typeof each === "string" ? filterText(each) : each)) as T;

/** Those that may be shown as they are, each looked at by itself. */
export function harmless(texts: readonly string[]): string[] {
  const bad = new Set([...saying(texts, false), ...eachDecoded(texts)]);
  return texts.filter((text, i) => !bad.has(i) && withoutInvisible(text) === text);
}

/** As the text of a page whose source this is. */
const withoutTags = (text: string): string => (text.includes("<") ? text.replace(/<[^<>]{0,500}>/g, " ") : text);

const sentences = (line: string): string[] =>
  line.split(/((?<=[.!?。！？])\s+)/u).flatMap((each) => each.match(new RegExp(`[^]{1,${LONGEST_SENTENCE}}`, "g")) ?? []);

const says = (text: string): boolean => saying([withoutInvisible(text)]).size > 0;

/** Indexes of the texts in which one of the patterns stands, wholly or in part. `across`: also one that begins in one text and ends in the next. */
function saying(texts: readonly string[], across = true): Set<number> {
  const bad = new Set<number>();
  const folded = texts.map(foldCase);
  const latin = folded.map(foldLookalikes);
  const isSame = latin.every((text, i) => text === folded[i]);
  const seam = across ? "" : "\n";
  for (const variant of isSame ? [latin] : [folded, latin]) {
    find(variant, "\n", SPOKEN, bad);
    if (across && variant.length > 1) find(variant, " ", SPOKEN, bad);
    const letters = variant.map((text) => text.replace(/[^\p{L}]+/gu, ""));
    find(letters, seam, SQUEEZED, bad);
    find(letters.map(rot13), seam, TURNED, bad);
    const backwards = new Set<number>();
    find(letters.map(reversed).reverse(), seam, TURNED, backwards);
    for (const i of backwards) bad.add(letters.length - 1 - i);
  }
  return bad;
}

/** What is looked for in letters that were turned around. */
const TURNED = SQUEEZED.slice(0, 4);

function find(texts: readonly string[], seam: string, patterns: readonly RegExp[], bad: Set<number>): void {
  const text = texts.join(seam);
  for (const pattern of patterns) for (const match of text.matchAll(pattern)) mark(match.index, match.index + match[0].length);

  function mark(from: number, to: number): void {
    let start = 0;
    for (const [i, each] of texts.entries()) {
      if (start >= to) return;
      if (start + each.length > from) bad.add(i);
      start += each.length + seam.length;
    }
  }
}

/** Indexes of the texts that say such a thing once decoded, also where base64 is broken up over several. */
function encoded(texts: readonly string[]): Set<number> {
  const bad = eachDecoded(texts);
  for (let from = 0; from < texts.length; from += 1) {
    let to = from;
    if (texts[from] === "") continue;
    while (to < texts.length && to - from < MAX_PIECES && PIECE.test(texts[to] as string)) to += 1;
    const whole = (end: number) =>
      texts
        .slice(from, end)
        .join("")
        .replace(/[\s"]+/g, "");
    if (whole(to) === texts[from] || !decoded(whole(to)).some(says)) continue;
    while (to - from > 1 && decoded(whole(to - 1)).some(says)) to -= 1;
    for (let i = from; i < to; i += 1) bad.add(i);
    from = to - 1;
  }
  return bad;
}
function eachDecoded(texts: readonly string[]): Set<number> {
  const others = texts.flatMap((text, i) => decoded(text).map((each) => ({ i, text: withoutInvisible(each) })));
  if (others.length === 0) return new Set();
  const bad = saying(
    others.map(({ text }) => text),
    false,
  );
  return new Set(others.flatMap(({ i }, at) => (bad.has(at) ? [i] : [])));
}

/** What may be a part of a longer base64 text. */
const PIECE = /^[\s"]*(?:[A-Za-z0-9+/_-]{4,}={0,2})?[\s"]*$/;
const MAX_PIECES = 24;

const reversed = (text: string): string => [...text].reverse().join("");
const rot13 = (text: string): string =>
  text.replace(/[a-z]/g, (letter) => String.fromCharCode(((letter.charCodeAt(0) - 97 + 13) % 26) + 97));
