/** The deeds that a text names, by word lists. Each word costs one look into a hash, so that long texts and long lists cost little. */
import { DESTRUCTIVE } from "./destructive-words.ts";

const SPACELESS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
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

const wordsOf = (plain: string): string[] => plain.match(ASCII.test(plain) ? /[a-z0-9]+/g : /[\p{L}\p{N}]+/gu) ?? [];

/** By the first word of a phrase: the phrases that begin with it, the longest first. `rest`: their other words. */
const PHRASES = new Map<string, { rest: string[]; concept: string }[]>();
/** The same for scripts that write no spaces, by the first sign. */
const INSIDE = new Map<string, { word: string; concept: string }[]>();
const under = <T>(map: Map<string, T[]>, key: string, value: T) => void map.set(key, [...(map.get(key) ?? []), value]);
for (const [concept, phrases] of Object.entries(DESTRUCTIVE)) {
  for (const phrase of phrases.map(normal)) {
    const [first = "", ...rest] = wordsOf(phrase);
    if (SPACELESS.test(phrase)) under(INSIDE, phrase[0] as string, { word: phrase, concept });
    else under(PHRASES, first, { rest, concept });
  }
}
for (const phrases of PHRASES.values()) phrases.sort((a, b) => b.rest.length - a.rest.length);

/** In the order of the text, then those of scripts without spaces. */
export const conceptsIn = (text: string): string[] => conceptsOf(normal(text));
export const conceptOf = (text: string): string | null => conceptsIn(text)[0] ?? null;

/** Of text that is `normal` already. */
export function conceptsOf(plain: string): string[] {
  const found = conceptsOfWords(wordsOf(plain));
  if (!SPACELESS.test(plain)) return found;
  for (let i = 0; i < plain.length; i += 1) {
    for (const { word, concept } of INSIDE.get(plain[i] as string) ?? []) if (plain.startsWith(word, i)) found.push(concept);
  }
  return found;
}

export function conceptsOfWords(words: readonly string[]): string[] {
  const found: string[] = [];
  for (let i = 0; i < words.length; i += 1) {
    const phrase = PHRASES.get(words[i] as string)?.find(({ rest }) => rest.every((word, n) => word === words[i + 1 + n]));
    if (phrase) found.push(phrase.concept);
  }
  return found;
}
