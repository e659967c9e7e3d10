/**
 * Finds many texts in one pass that skips what cannot be a match (Wu and Manber, TR-94-17, Arizona 1994): the time hardly grows with their
 * number or length, which that of one RegExp of alternatives does. Texts come as arrays of UTF-16 units, folded by `fold`.
 */

/** `exact`: upper and lower case are told apart, by the caller. */
export type Pattern = { units: Uint16Array; text: string; id: number; exact: boolean };
export type OnHit = (start: number, end: number, pattern: Pattern) => void;
export type Matcher = (units: Uint16Array, length: number, onHit: OnHit) => void;

const TABLE = 1 << 15;
/** So much of a text is compared to find it; a match goes on as far as the rest does. */
const COMPARED = 256;

const FOLDED = Uint16Array.from({ length: 0x10000 }, (_, code) => code);
for (const [from, to] of [
  [0x41, 0x5a],
  [0xc0, 0x58f], // Latin, Greek, Cyrillic, Armenian
  [0x1e00, 0x1fff],
] as const) {
  for (let code = from; code <= to; code += 1) {
    const lower = String.fromCharCode(code).toLowerCase();
    if (lower.length === 1) FOLDED[code] = lower.charCodeAt(0);
  }
}
for (const [wide, plain, count] of [
  [0xff10, 0x30, 10],
  [0xff21, 0x61, 26],
  [0xff41, 0x61, 26],
] as const)
  for (let i = 0; i < count; i += 1) FOLDED[wide + i] = plain + i;

/** The text's UTF-16 units, letters in lower case and no wider than others: pages and encoders differ in it. Into `room`, where a zero ends it: what stands behind is of another text. */
export function fold(text: string, room = new Uint16Array(text.length)): Uint16Array {
  Buffer.from(room.buffer, room.byteOffset, room.byteLength).write(text, "utf16le"); // far faster than a loop over the string
  for (let i = 0; i < text.length; i += 1) room[i] = FOLDED[room[i] as number] as number;
  if (text.length < room.length) room[text.length] = 0;
  return room;
}

export function createMatcher(patterns: readonly Pattern[]): Matcher {
  if (patterns.length === 0) return () => {};
  const least = Math.min(...patterns.map(({ units }) => units.length));
  if (least < 3) throw new RangeError("A pattern has at least 3 characters");
  const shifts = new Uint8Array(TABLE).fill(Math.min(255, least - 2));
  const buckets = new Map<number, Pattern[]>();
  for (const pattern of patterns) {
    for (let last = 2; last < least; last += 1) {
      const at = block(pattern.units, last);
      shifts[at] = Math.min(shifts[at] as number, least - 1 - last);
      if (last === least - 1) buckets.set(at, [...(buckets.get(at) ?? []), pattern]);
    }
  }
  return (units, length, onHit) => {
    for (let last = least - 1; last < length; ) {
      const at = block(units, last);
      const shift = shifts[at] as number;
      if (shift > 0) {
        last += shift;
        continue;
      }
      const start = last - least + 1;
      for (const pattern of buckets.get(at) ?? []) {
        const end = matchEnd(pattern.units, units, start, length);
        if (end > 0) onHit(start, end, pattern);
      }
      last += 1;
    }
  };
}

const block = (units: Uint16Array, last: number): number =>
  ((units[last] as number) ^ ((units[last - 1] as number) << 5) ^ ((units[last - 2] as number) << 9)) & (TABLE - 1);

/** Where the match ends, or 0. */
function matchEnd(wanted: Uint16Array, units: Uint16Array, start: number, length: number): number {
  const needed = Math.min(wanted.length, COMPARED);
  if (start + needed > length) return 0;
  let i = 0;
  while (i < wanted.length && start + i < length && units[start + i] === wanted[i]) i += 1;
  return i >= needed ? start + i : 0;
}
