/** The deeds that a text names, by word lists. Each word costs one look into a hash, so that long texts and long lists cost little. */
import { DESTRUCTIVE } from "./destructive-words.ts";

/** Han, kana and Hangul. Without the flag `u`, which costs ten times as much. */
const SPACELESS =
  /[\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ud840-\ud88f]/;
const ASCII = /^[\x20-\x7e]*$/;

/** Lower case, one spelling for each letter, no accents, nothing invisible. */
export function normal(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase().replace(/[ _]+/g, " ").trim();
  return text
    .normalize("NFKD")
    .replace(/[\p{M}\p{Cf}]/gu, "")
    .toLowerCase()
    .replace(/[ßłø]/g, (letter) => (letter === "ß" ? "ss" : letter === "ł" ? "l" : "o"))
    .replace(/[\s_]+/g, " ")
    .normalize("NFC")
    .trim();
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
/** By the first unit of a word and its length, folded into one number: may it be the first of a phrase? Most words are dismissed so, before they are cut out. */
const MAY_BEGIN = new Uint8Array(0x1000);
const beginKey = (code: number, length: number): number => ((code & 0x7f) << 5) | Math.min(length, 31);
for (const first of PHRASES.keys()) MAY_BEGIN[beginKey(first.charCodeAt(0), first.length)] = 1;

/** In the order of the text, then those of scripts without spaces. */
export const conceptsIn = (text: string): string[] => conceptsOf(normal(text));
export const conceptOf = (text: string): string | null => conceptsIn(text)[0] ?? null;

/** Of text that is `normal` already. */
export function conceptsOf(plain: string): string[] {
  const found: string[] = [];
  for (let start = 0; start < plain.length; ) {
    if (OF_WORD[plain.charCodeAt(start)] === 0) {
      start += 1;
      continue;
    }
    let end = start + 1;
    while (end < plain.length && OF_WORD[plain.charCodeAt(end)] === 1) end += 1;
    const concept = MAY_BEGIN[beginKey(plain.charCodeAt(start), end - start)] === 1 ? phraseAt(plain, start, end) : undefined;
    if (concept) found.push(concept);
    start = end;
  }
  if (SPACELESS.test(plain)) for (const [word] of plain.matchAll(ANY_INSIDE)) found.push(INSIDE.get(word) as string);
  return found;
}

/** What begins with the word from `start` to `end`. */
function phraseAt(plain: string, start: number, end: number): string | undefined {
  const phrases = PHRASES.get(plain.slice(start, end));
  if (phrases === undefined) return undefined;
  const next = phrases[0]?.rest.length === 0 ? [] : wordsOf(plain.slice(end, end + LONGEST_PHRASE));
  return phrases.find(({ rest }) => rest.every((word, i) => word === next[i]))?.concept;
}
