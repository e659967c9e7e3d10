/** A text without what a page puts between the letters of a word: tags, white space, invisible characters, punctuation. */

import { escapeChars } from "./escapes.ts";

/** `at[i]`: where the i-th unit stands in the text. `escapes`: where a character is written by its number. `hasTags`: what stood in them is left out. */
export type Skeleton = { units: Uint16Array; at: Int32Array; length: number; escapes: readonly number[]; hasTags: boolean };

/** Longer than any tag that stands inside a word. */
const TAG_CHARS = 2_000;
const ENTITIES = ["nbsp", "shy", "zwj", "zwnj", "#8203", "#173", "#160", "zerowidthspace"].map((name) => Buffer.from(`${name};`));
const AMPERSAND = 38;
const LESS = 60;
const GREATER = 62;
const BACKSLASH = 92;
const PERCENT = 37;
const EQUALS = 61;
/** With the low surrogate after it: characters of a plane that shows nothing. */
const INVISIBLE = 0xdb40;

/** By unit. 1: stays, 0: goes, 2: needs a look. */
const KIND = new Uint8Array(0x10000).fill(1);
for (let code = 0; code < 128; code += 1) KIND[code] = /[a-z0-9]/i.test(String.fromCharCode(code)) ? 1 : 0;
for (const [from, to] of [
  [0x80, 0xa0],
  [0xad, 0xad],
  [0x034f, 0x034f],
  [0x061c, 0x061c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x2000, 0x202f],
  [0x205f, 0x206f],
  [0x3000, 0x3000],
  [0x3164, 0x3164],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xff01, 0xff0f], // punctuation as wide as a letter of Chinese
  [0xff1a, 0xff20],
  [0xff3b, 0xff40],
  [0xff5b, 0xff65],
  [0xffa0, 0xffa0],
] as const)
  KIND.fill(0, from, to + 1);
for (const code of [AMPERSAND, LESS, BACKSLASH, PERCENT, EQUALS, INVISIBLE]) KIND[code] = 2;

/** Of folded units, see `fold`; into the room that is given, which must be as long. */
export function skeletonOf(text: Uint16Array, length: number, room: { units: Uint16Array; at: Int32Array }): Skeleton {
  const { units, at } = room;
  let kept = 0;
  const escapes: number[] = [];
  let hasTags = false;
  let noTagBefore = 0; // no `>` before here: a text full of `<` is not searched again and again
  for (let i = 0; i < length; i += 1) {
    const code = text[i] as number;
    const kind = KIND[code];
    if (kind === 1) {
      units[kept] = code;
      at[kept] = i;
      kept += 1;
    } else if (kind === 2) {
      if (mayEscape(code, text[i + 1] ?? 0) && escapeChars(text, i) > 0) escapes.push(i);
      if (code === BACKSLASH) {
        const next = text[i + 1];
        if (next === 110 || next === 114 || next === 116) i += 1; // a line break in JSON
      } else if (code === AMPERSAND) {
        i += entityChars(text, i + 1);
      } else if (code === INVISIBLE) {
        i += 1;
      } else if (code === LESS && i >= noTagBefore && opensTag(text[i + 1] ?? 0)) {
        const end = tagEnd(text, i, length);
        hasTags ||= end > 0;
        if (end > 0) i = end;
        else noTagBefore = i + TAG_CHARS;
      }
    }
  }
  return { units, at, length: kept, escapes, hasTags };
}

/** Quickly told of most. */
const mayEscape = (code: number, next: number): boolean =>
  code === EQUALS
    ? (next >= 97 && next <= 102) || next === 51 || next === 56 || next === 57
    : code !== LESS && next > 34 && code !== INVISIBLE;

const opensTag = (code: number): boolean => code === 47 || code === 33 || (code >= 97 && code <= 122);

function tagEnd(text: Uint16Array, start: number, length: number): number {
  const limit = Math.min(length, start + TAG_CHARS);
  for (let i = start + 1; i < limit; i += 1) if (text[i] === GREATER) return i;
  return 0;
}

const entityChars = (text: Uint16Array, start: number): number =>
  ENTITIES.find((name) => name.every((code, i) => text[start + i] === code))?.length ?? 0;
