/** The deeds that a text names, by word lists. Each word costs one look into a hash, so that long texts and long lists cost little. */
import { DESTRUCTIVE } from "./destructive-words.ts";

/** Han, kana and Hangul. Without the flag `u`, which costs ten times as much. */
const SPACELESS =
  /[\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ud840-\ud88f]/;

/** Lower case, one spelling for each letter, no accents, nothing invisible, one blank for all white space. */
export function normal(text: string): string {
  const quick = text.length <= ROOM.length && !SPELLED_TOGETHER.test(text) ? spelledByUnit(text) : null;
  return (
    quick ??
    spelled(text)
      .replace(/[\s_]+/g, " ")
      .trim()
  );
}

const spelled = (text: string): string =>
  text
    .normalize("NFKD")
    .replace(/[\p{M}\p{Cf}]/gu, "")
    .toLowerCase()
    .replace(/[ßłø]/g, (letter) => (letter === "ß" ? "ss" : letter === "ł" ? "l" : "o"))
    .normalize("NFC");

/** What cannot be spelled unit by unit: a sigma at a word's end, Hangul in parts, and what takes two units. */
const SPELLED_TOGETHER = /[\u03a3\u03f9\u1100-\u11ff\ua960-\ua97f\ud7b0-\udfff\uffa0-\uffdf]/;
/** By unit, filled as they come: the unit it is spelled with, or one of the two below. */
const SPELLED = new Uint16Array(0x10000);
const NOTHING = 1;
const SEVERAL = 2;
const BLANK = 0x20;
const ROOM = new Uint16Array(4_096);

/** Five times as quick as to spell it whole. Null: one of its letters is spelled with several. */
function spelledByUnit(text: string): string | null {
  let length = 0;
  let last = BLANK;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    const so = SPELLED[unit] || unitFor(unit);
    if (so === SEVERAL) return null;
    if (so === NOTHING || (so === BLANK && last === BLANK)) continue;
    last = so;
    ROOM[length] = so;
    length += 1;
  }
  if (last === BLANK && length > 0) length -= 1;
  return Buffer.from(ROOM.buffer, 0, length * 2).toString("utf16le");
}

function unitFor(unit: number): number {
  const so = spelled(String.fromCharCode(unit)).replace(/[\s_]/g, " ");
  const own = so.length === 1 && so.charCodeAt(0) > SEVERAL ? so.charCodeAt(0) : SEVERAL;
  SPELLED[unit] = so === "" ? NOTHING : own;
  return SPELLED[unit] as number;
}

const wordsOf = (plain: string): string[] => plain.match(/[\p{L}\p{N}]+/gu) ?? [];

/** By the first word of a phrase: the phrases that begin with it, the longest first. `rest`: their other words. */
const PHRASES = new Map<string, { rest: string[]; concept: string }[]>();
/** Words of scripts that write no spaces. */
const INSIDE = new Map<string, string>();
for (const [concept, phrases] of Object.entries(DESTRUCTIVE)) {
  for (const phrase of phrases.map(normal)) {
    const [first = "", ...rest] = wordsOf(phrase);
    if (SPACELESS.test(phrase)) INSIDE.set(phrase, concept);
    else PHRASES.set(first, [...(PHRASES.get(first) ?? []), { rest, concept }]);
  }
}
for (const phrases of PHRASES.values()) phrases.sort((a, b) => b.rest.length - a.rest.length);
const ANY_INSIDE = new RegExp([...INSIDE.keys()].join("|"), "g");
const LONGEST_PHRASE = 100;

/** By unit: is it of a word? Half a surrogate pair is. */
const OF_WORD = Uint8Array.from({ length: 0x10000 }, (_, code) =>
  (code < 0x80 ? /[a-z0-9]/ : /[\p{L}\p{N}\p{Cs}]/u).test(String.fromCharCode(code)) ? 1 : 0,
);
/** By the first and last unit of a word and its length, folded into one number: may it be the first of a phrase? Most words are dismissed so, before they are cut out. */
const MAY_BEGIN = new Uint8Array(0x10000);
const beginKey = (first: number, last: number, length: number): number =>
  ((first & 0x7f) << 9) | ((last & 0x1f) << 4) | Math.min(length, 15);
for (const word of PHRASES.keys()) MAY_BEGIN[beginKey(word.charCodeAt(0), word.charCodeAt(word.length - 1), word.length)] = 1;

/** What a control is called, what it says, both `normal`, and the deeds that each names. A text that says the same is read once. */
export type Wording = { label: string; said: string; deeds: readonly string[]; saidDeeds: readonly string[] };

export function wordingOf({ name, text }: { name: string; text: string }): Wording {
  const label = normal(name || text);
  const deeds = conceptsOf(label);
  const said = name === "" || text.trim() === name.trim() ? label : normal(text);
  return { label, said, deeds, saidDeeds: said === label ? deeds : conceptsOf(said) };
}

/** In the order of the text, then those of scripts without spaces. */
export const conceptsIn = (text: string): string[] => conceptsOf(normal(text));
export const conceptOf = (text: string): string | null => conceptsIn(text)[0] ?? null;

/** Of text that is `normal` already. */
export function conceptsOf(plain: string): string[] {
  const found: string[] = [];
  const { length } = plain;
  const units = unitsOf(plain);
  for (let start = 0; start < length; ) {
    if (OF_WORD[units[start] as number] === 0) {
      start += 1;
      continue;
    }
    let end = start + 1;
    while (end < length && OF_WORD[units[end] as number] === 1) end += 1;
    const key = beginKey(units[start] as number, units[end - 1] as number, end - start);
    const concept = MAY_BEGIN[key] === 1 ? phraseAt(plain, start, end) : undefined;
    if (concept) found.push(concept);
    start = end;
  }
  if (SPACELESS.test(plain)) for (const [word] of plain.matchAll(ANY_INSIDE)) found.push(INSIDE.get(word) as string);
  return found;
}

/** Good until the next call. To ask a long string for its units one by one takes three times as long. */
function unitsOf(text: string): Uint16Array {
  const units = text.length <= ROOM.length ? ROOM : new Uint16Array(text.length);
  Buffer.from(units.buffer).write(text, "utf16le");
  return units;
}

/** What begins with the word from `start` to `end`. */
function phraseAt(plain: string, start: number, end: number): string | undefined {
  const phrases = PHRASES.get(plain.slice(start, end));
  if (phrases === undefined) return undefined;
  const next = phrases[0]?.rest.length === 0 ? [] : wordsOf(plain.slice(end, end + LONGEST_PHRASE));
  return phrases.find(({ rest }) => rest.every((word, i) => word === next[i]))?.concept;
}
