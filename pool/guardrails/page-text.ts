/** What of a page's words a model may read: nothing invisible, and nothing that gives orders to a model. Pure: the same texts give the same texts. */
import { decoded } from "./decode.ts";
import { foldCase, foldLookalikes, withoutInvisible } from "./fold.ts";
import { SPOKEN, SQUEEZED } from "./injection-words.ts";

/** Stands where words were taken out. */
export const REMOVED = "[removed: words meant for a model]";
/** A longer line is looked at sentence by sentence: one of them does not cost all the others. */
const LONG_LINE = 400;
const LONGEST_SENTENCE = 4_000;
/** Of one text; a model is shown less. The rest is left out. */
const LONGEST_TEXT = 50_000;
const LEFT_OUT = "[the rest is left out: too long]";
/** Characters that decoding may yield of all that is looked at at once. What comes after so much of it is taken out unread. */
const MAX_DECODED = 600_000;

/** Each text as it may be shown. They stand in the order in which the page shows them: an order may be split over several. */
export function filterTexts(texts: readonly string[]): string[] {
  const clean = texts.map(withoutInvisible);
  const bare = clean.map(withoutTags);
  const bad = new Set([...saying(clean), ...(bare.some((text, i) => text !== clean[i]) ? saying(bare) : []), ...encoded(clean)]);
  return bad.size === 0 ? clean : clean.map((text, i) => (bad.has(i) && /\S/.test(text) ? REMOVED : text));
}

/** A text of any length. */
export function filterText(text: string, maxChars = LONGEST_TEXT): string {
  if (text.length > maxChars) return `${filterText(text.slice(0, maxChars))}${LEFT_OUT}`;
  const pieces = withoutInvisible(text)
    .split(/(\n)/)
    .flatMap((line) => (line.length <= LONG_LINE ? [line] : sentences(line)));
  return filterTexts(pieces).join("");
}

/** Every text of a value that is JSON, all of them together as long as one text may be. */
export function filterDeep<T>(value: T): T {
  let room = LONGEST_TEXT;
  return JSON.parse(JSON.stringify(value), (_key, each: unknown) => {
    if (typeof each !== "string") return each;
    const filtered = filterText(each, room);
    room = Math.max(0, room - each.length);
    return filtered;
  }) as T;
}

/** Those that may be shown as they are, each looked at by itself. */
export function harmless(texts: readonly string[]): string[] {
  const bad = new Set([...saying(texts, false), ...eachDecoded(texts)]);
  return texts.filter((text, i) => !bad.has(i) && withoutInvisible(text) === text);
}

/** As the text of a page whose source this is. */
const withoutTags = (text: string): string => (text.includes("<") ? text.replace(/<[^<>]{0,500}>/g, " ") : text);

const sentences = (line: string): string[] =>
  line.split(/((?<=[.!?。！？])\s+)/u).flatMap((each) => each.match(new RegExp(`[^]{1,${LONGEST_SENTENCE}}`, "g")) ?? []);

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

/** Matches come in ascending order, so each pattern walks the texts once: a page has tens of thousands of both. */
function find(texts: readonly string[], seam: string, patterns: readonly RegExp[], bad: Set<number>): void {
  const text = texts.join(seam);
  for (const pattern of patterns) {
    let at = 0;
    let start = 0; // of the text `at`
    const pass = () => (start += (texts[at++] as string).length + seam.length);
    for (const match of text.matchAll(pattern)) {
      const end = match.index + match[0].length;
      while (at < texts.length && start + (texts[at] as string).length <= match.index) pass();
      for (; at < texts.length && start + (texts[at] as string).length < end; pass()) bad.add(at);
      if (at < texts.length && start < end) bad.add(at); // the next match may begin in it
    }
  }
}

/** Indexes of the texts that say such a thing once decoded, also where base64 is broken up over several. */
function encoded(texts: readonly string[]): Set<number> {
  const bad = eachDecoded(texts);
  const isPiece = texts.map((text) => PIECE.test(text));
  const bare = texts.map((text, i) => (isPiece[i] ? text.replace(/[\s"]+/g, "") : ""));
  let room = MAX_DECODED;
  for (let from = 0; from < texts.length; from += 1) {
    let to = from;
    let chars = 0;
    for (; to < texts.length && to - from < MAX_PIECES && chars < LONGEST_CHAIN && isPiece[to]; to += 1)
      chars += (bare[to] as string).length;
    const own = bare[from] as string;
    if (own === "" || (own === texts[from] && own.length === chars)) continue; // nothing but this text, which was looked at
    const says = (end: number): boolean => {
      if (room < 0) return true;
      const others = decoded(bare.slice(from, end).join(""));
      for (const { length } of others) room -= length;
      return saying(others.map(withoutInvisible), false).size > 0;
    };
    if (!says(to)) continue;
    while (to - from > 1 && room >= 0 && says(to - 1)) to -= 1;
    for (let i = from; i < to; i += 1) bad.add(i);
    from = to - 1;
  }
  return bad;
}

function eachDecoded(texts: readonly string[]): Set<number> {
  const bad = new Set<number>();
  const others: { i: number; text: string }[] = [];
  let room = MAX_DECODED;
  for (const [i, text] of texts.entries()) {
    const all = mayHide(text) ? (room > 0 ? decoded(text) : null) : [];
    if (all === null) bad.add(i);
    for (const each of all ?? []) {
      room -= each.length;
      others.push({ i, text: withoutInvisible(each) });
    }
  }
  if (others.length === 0) return bad;
  for (const at of saying(
    others.map(({ text }) => text),
    false,
  ))
    bad.add((others[at] as (typeof others)[number]).i);
  return bad;
}

/** Is there anything in it that decoding might change? */
const mayHide = (text: string): boolean => /[&%\\]|[A-Za-z0-9+/_-]{8}/.test(text);

/** What may be a part of a longer base64 text. */
const PIECE = /^[\s"]*(?:[A-Za-z0-9+/_-]{4,}={0,2}[\s"]*)?$/;
const MAX_PIECES = 24;
/** Characters of pieces that are put together; an order is shorter. */
const LONGEST_CHAIN = 1_000;

const reversed = (text: string): string => [...text].reverse().join("");
const rot13 = (text: string): string =>
  text.replace(/[a-z]/g, (letter) => String.fromCharCode(((letter.charCodeAt(0) - 97 + 13) % 26) + 97));
