/** What a cut leaves of a secret: its beginning, in any form, right before an `…`. */
import { MIN_CHARS } from "./variants.ts";

export const CUT = "…";
/** How far before a cut the beginning of a secret is looked for. */
const CUT_CHARS = 256;
/** An escape that the cut went through, and how long one is at most. */
const HALF_ESCAPE = /(?:[%=][0-9a-f]?|%u[0-9a-f]{0,3}|&#?\w{0,8}|\\(?:[ux]\{?)?[0-9a-f]{0,5})$/i;
const HALF_CHARS = 10;
/** U+FFFD, in place of what is in no charset. */
const UNREADABLE = 0xfffd;

/** A beginning that is looked for; `text` where upper and lower case are told apart. */
type Start = { units: Uint16Array; text: string | null };

export class Starts {
  readonly #byKey = new Map<number, Start[]>();
  readonly #maybe = new Uint8Array(1 << 15);

  add(units: Uint16Array, text: string | null = null): void {
    if (units.length < MIN_CHARS) return;
    const key = keyOf(units, 0);
    this.#maybe[key & 0x7fff] = 1;
    const same = this.#byKey.get(key);
    if (same) same.push({ units, text });
    else this.#byKey.set(key, [{ units, text }]);
  }

  /** The first unit from which on there is a beginning that goes to the end; -1: none. */
  find({ units, text }: View, from: number, end: number): number {
    for (let i = from; i <= end - MIN_CHARS; i += 1) {
      const key = keyOf(units, i);
      if (this.#maybe[key & 0x7fff] === 0) continue;
      if (this.#byKey.get(key)?.some((start) => isBeginning(start, units, i, end, text))) return i;
    }
    return -1;
  }
}

const keyOf = (units: Uint16Array, at: number): number =>
  ((units[at] as number) ^ ((units[at + 1] as number) << 3) ^ ((units[at + 2] as number) << 6) ^ ((units[at + 3] as number) << 9)) >>> 0;

function isBeginning(start: Start, units: Uint16Array, from: number, end: number, text: string | null): boolean {
  if (end - from > start.units.length) return false;
  let isReadable = false; // else it may be the beginning of anything
  for (let i = from; i < end; i += 1) {
    if (units[i] !== start.units[i - from]) return false;
    isReadable ||= units[i] !== UNREADABLE;
  }
  if (!isReadable) return false;
  return start.text === null || (text !== null && start.text.startsWith(text.slice(from, end)));
}

/**
 * One way to read the text: its units, and what is looked for in them. The i-th stands at `at[i]` of the text, or, where there is `from`, of
 * what that says for each; without them at `i`. `text`: as long as the units, unfolded.
 */
export type View = {
  units: Uint16Array;
  length: number;
  at: Int32Array | null;
  from: Int32Array | null;
  starts: Starts;
  text: string | null;
};

/** The cuts of a text, and how much before each is secret, as far as it was looked at. */
export class Cuts {
  readonly #text: string;
  readonly #places: number[] = [];
  readonly #starts: number[];

  constructor(text: string) {
    this.#text = text;
    for (let cut = text.indexOf(CUT); cut >= 0; cut = text.indexOf(CUT, cut + 1)) this.#places.push(cut);
    this.#starts = [...this.#places];
  }

  look(view: View): void {
    let begin = 0;
    for (const [i, cut] of this.#places.entries()) {
      const first = Math.max(i === 0 ? 0 : (this.#places[i - 1] as number) + 1, cut - CUT_CHARS);
      begin = indexOf(view, first, begin);
      const half = cut - (HALF_ESCAPE.exec(this.#text.slice(Math.max(first, cut - HALF_CHARS), cut))?.[0].length ?? 0);
      for (const end of half === cut ? [cut] : [cut, half]) {
        const found = view.starts.find(view, begin, indexOf(view, end, begin));
        if (found >= 0) this.#starts[i] = Math.min(this.#starts[i] as number, placeIn(view, found));
      }
    }
  }

  spans(): { start: number; end: number }[] {
    return this.#places.flatMap((end, i) => ((this.#starts[i] as number) < end ? [{ start: this.#starts[i] as number, end }] : []));
  }
}

function placeIn({ at, from }: View, i: number): number {
  const place = at === null ? i : (at[i] as number);
  return from === null ? place : (from[place] as number);
}

/** The first of the view's units, from the `low`-th on, that stands at the place in the text, or after it. */
function indexOf(view: View, place: number, low: number): number {
  if (view.at === null && view.from === null) return place;
  let high = low;
  for (let step = 1; high < view.length && placeIn(view, high) < place; step *= 2) {
    low = high + 1;
    high = Math.min(view.length, high + step);
  }
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placeIn(view, middle) < place) low = middle + 1;
    else high = middle;
  }
  return low;
}
