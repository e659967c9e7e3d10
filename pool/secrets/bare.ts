/**
 * A text's ASCII letters and digits alone, its escapes read: of a secret these are the same in every charset, rightly read or wrongly,
 * however the rest is written.
 */
import { BETWEEN, isAlnum, type Placed, partsAround, placedRoom, readEscapes } from "./escapes.ts";
import { type Skeleton, skeletonOf } from "./skeleton.ts";

/** `at[i]`: where the i-th unit stands among `around`, which are the text's own where `from` and `to` are null. */
export type Bare = {
  units: Uint16Array;
  at: Int32Array;
  length: number;
  around: Uint16Array;
  aroundLength: number;
  from: Int32Array | null;
  to: Int32Array | null;
};
export type BareRoom = { placed: Placed; units: Uint16Array; at: Int32Array };
export const bareRoom = (chars: number): BareRoom => ({
  placed: placedRoom(chars),
  units: new Uint16Array(chars),
  at: new Int32Array(chars),
});

/** What of a text is read: `whole`, or around escapes as far as `reach`, and within tags. */
export type Reading = { whole: boolean; reach: number };

/**
 * Of folded units, see `fold`, and what `skeletonOf` has left of them; into the room that is given, one after the other. With tags and
 * without, as a page may split a secret by them, or put it into one.
 */
export function* baresOf(
  folded: Uint16Array,
  chars: number,
  skeleton: Skeleton,
  { whole, reach }: Reading,
  room: BareRoom,
): Generator<Bare, void, undefined> {
  const text = { around: folded, aroundLength: chars, from: null, to: null };
  if (whole) yield { ...lettersOf(skeleton, room), ...text };
  if (skeleton.hasTags) yield { ...lettersOf({ units: folded, at: null, length: chars }, room), ...text };
  if (skeleton.escapes.length === 0) return;
  const parts = partsAround(skeleton.escapes, whole ? chars : reach, chars);
  const { units: around, length: aroundLength, from, to } = readEscapes(folded, parts, room.placed);
  const read = { around, aroundLength, from, to };
  const inner = skeletonOf(around, aroundLength, room);
  const { hasTags } = inner;
  yield { ...lettersOf(inner, room), ...read };
  if (hasTags) yield { ...lettersOf({ units: around, at: null, length: aroundLength }, room), ...read };
}

function lettersOf(
  of: { units: Uint16Array; at: Int32Array | null; length: number },
  room: BareRoom,
): Pick<Bare, "units" | "at" | "length"> {
  const { units, at } = room;
  let length = 0;
  for (let i = 0; i < of.length; i += 1) {
    const unit = of.units[i] as number;
    if (!isAlnum(unit) && unit !== BETWEEN) continue;
    units[length] = unit;
    at[length] = of.at ? (of.at[i] as number) : i;
    length += 1;
  }
  return { units, at, length };
}

/** A secret's own, its escapes read if it has such. */
export function lettersIn(folded: Uint16Array): Uint16Array {
  const room = bareRoom(folded.length + 1);
  const { units, length } = readEscapes(folded, [{ start: 0, end: folded.length }], room.placed);
  const letters = lettersOf({ units, at: null, length }, room);
  return letters.units.slice(0, letters.length);
}

/** How many characters that are no ASCII a secret has before its first letter or digit of ASCII, and after its last. */
export type Margins = { before: number; after: number };
const NO_MARGINS: Margins = { before: 0, after: 0 };
export function marginsOf(secret: string): Margins {
  const others = (text: string) => [...text].filter((char) => char >= "\x80" && char.trim() !== "").length;
  return { before: others(/^[^a-z0-9]*/i.exec(secret)?.[0] ?? ""), after: others(/[^a-z0-9]*$/i.exec(secret)?.[0] ?? "") };
}

/** So many units may stand for a character that was read in a wrong charset. */
const MISREAD_UNITS = 4;

/** Where a match stands in the text, with what may be the secret's characters at both ends. */
export function placeOf(bare: Bare, first: number, last: number, { before, after } = NO_MARGINS): { start: number; end: number } {
  const { at, around, from, to } = bare;
  let [start, end] = [at[first] as number, at[last] as number];
  for (let i = start - 1, steps = before * MISREAD_UNITS; steps > 0 && goesOn(bare, i); i -= 1, steps -= 1)
    if ((around[i] as number) >= 0x80) start = i;
  for (let i = end + 1, steps = after * MISREAD_UNITS; steps > 0 && goesOn(bare, i); i += 1, steps -= 1)
    if ((around[i] as number) >= 0x80) end = i;
  return { start: from ? (from[start] as number) : start, end: to ? (to[end] as number) : end + 1 };
}

/** Over what is neither a letter or digit of ASCII, nor white space. */
const goesOn = ({ around, aroundLength }: Bare, i: number): boolean =>
  i >= 0 && i < aroundLength && around[i] !== BETWEEN && (around[i] as number) > 32 && !isAlnum(around[i] as number);
