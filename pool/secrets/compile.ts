/** What is looked for, worked out of the secrets. */
import type { SecretValue } from "../../shared/secret-value.ts";
import { lettersIn, type Margins, marginsOf } from "./bare.ts";
import { Starts } from "./cuts.ts";
import { createMatcher, fold, type Matcher, type Pattern } from "./matcher.ts";
import { roomOf } from "./room.ts";
import { skeletonOf } from "./skeleton.ts";
import { isAscii, MIN_CHARS, variantsOf, wordsOf } from "./variants.ts";

/** What is left of a text that held nothing else, where no name may be shown. */
export const REDACTED = "[redacted]";
/** So many letters and digits must agree where others stand between them. */
const SKELETON_CHARS = 8;
/** From here on a form is found in any case; a shorter word may be an ordinary one. */
const ANY_CASE_CHARS = 8;
/** Of a character that is written by its number, most. */
const ESCAPE_CHARS = 16;
export type Compiled = {
  exact: Matcher;
  split: Matcher;
  marks: string[];
  short: Map<string, number>;
  /** As `split`, of the bare secrets. */
  bare: Matcher;
  margins: Margins[];
  /** Is a secret not all ASCII? Then any text may be one in a wrong charset. */
  hasOther: boolean;
  /** How far from an escape the secret may stand that it is of; 0: none can be found so. */
  bareReach: number;
  /** Has a secret fewer letters and digits than `split` needs? */
  hasFew: boolean;
  starts: { written: Starts; bare: Starts };
  longest: number;
};

/** Worked out once, though a run learns one after the other, and has more than one redactor. */
const forms = new WeakMap<SecretValue, string[]>();
function formsOf(secret: SecretValue): string[] {
  const known = forms.get(secret) ?? variantsOf(secret.reveal());
  forms.set(secret, known);
  return known;
}

export function compile(secrets: readonly SecretValue[]): Compiled {
  const exact = new Map<string, Pattern>();
  const split = new Map<string, Pattern>();
  const short = new Map<string, number>();
  const bare = new Map<string, Pattern>();
  const starts: Compiled["starts"] = { written: new Starts(), bare: new Starts() };
  let longest = 0;
  let hasFew = false;
  for (const [id, secret] of secrets.entries()) {
    const value = secret.reveal();
    if (value.length < MIN_CHARS) {
      if (value.trim() !== "") short.set(value.trim(), id);
      continue;
    }
    for (const text of formsOf(secret)) {
      const folded = fold(text);
      const isWord = text.length < ANY_CASE_CHARS && /^[a-z]*$/i.test(text);
      const wanted = isWord ? text : text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
      if (!exact.has(wanted)) exact.set(wanted, { units: folded, text, id, exact: isWord });
      longest = Math.max(longest, text.length);
      starts.written.add(folded, isWord ? text : null);
      const { units, length } = skeletonOf(folded, folded.length, roomOf(folded.length));
      const letters = units.slice(0, length);
      const key = String.fromCharCode(...letters.subarray(0, 4_000));
      if (text === value && length < SKELETON_CHARS) hasFew = true;
      if (length < SKELETON_CHARS || split.has(key)) continue;
      split.set(key, { units: letters, text, id, exact: false });
      starts.bare.add(letters);
    }
    for (const text of wordsOf(value)) {
      const letters = lettersIn(fold(text));
      const key = String.fromCharCode(...letters.subarray(0, 4_000));
      if (letters.length < SKELETON_CHARS || bare.has(key)) continue;
      bare.set(key, { units: letters, text, id, exact: false });
      starts.bare.add(letters);
    }
  }
  const compiled = {
    exact: createMatcher([...exact.values()]),
    split: createMatcher([...split.values()]),
    bare: createMatcher([...bare.values()]),
    margins: secrets.map((secret) => marginsOf(secret.reveal())),
    hasOther: [...bare.values()].some(({ text }) => !isAscii(text)),
    bareReach: Math.max(0, ...[...bare.values()].map(({ text }) => text.length * ESCAPE_CHARS)),
    hasFew,
    short,
    starts,
    longest,
  };
  const holds = (text: string) =>
    [...exact.values()].some((each) => each.text.length <= text.length && text.toLowerCase().includes(each.text.toLowerCase()));
  return { ...compiled, marks: secrets.map((secret) => [String(secret), "[secret]", REDACTED].find((mark) => !holds(mark)) ?? "•••") };
}
