/** Characters that are written by their number: in URLs, HTML, JavaScript, JSON, style sheets, mail; in whatever charset, and within one another. */

/** In place of what is no ASCII: which character it is depends on a charset that nobody tells us. */
const OTHER = 0xfffd;
const SPACE = 32;
const HASH = 35;
const PERCENT = 37;
const AMPERSAND = 38;
const SEMICOLON = 59;
const EQUALS = 61;
const BACKSLASH = 92;
const N = 110;
const R = 114;
const T = 116;
const U = 117;
const X = 120;
const OPEN = 123;
const CLOSE = 125;
/** As deep as they are read within one another. */
const DEPTH = 4;
const ENTITY_CHARS = 32;
const AMP = Buffer.from("amp;");

/** By unit: its value as a hexadecimal digit in lower case, or 16. */
const HEX = new Uint8Array(0x10000).fill(16);
for (const [value, digit] of [..."0123456789abcdef"].entries()) HEX[digit.charCodeAt(0)] = value;
const digit = (units: Uint16Array, at: number): number => HEX[units[at] ?? 0] as number;

/** What the escape that was found last stands for. */
let code = 0;

/** How many units the escape has that begins at `at`: 0 where none begins. Of folded units, see `fold`. */
export function escapeChars(units: Uint16Array, at: number): number {
  switch (units[at]) {
    case PERCENT:
      if (units[at + 1] === U) return number(units, at + 2, 4, 4, 2);
      return number(units, at + 1, 2, 2, 1);
    case EQUALS: // innocent texts are full of it
      if (number(units, at + 1, 2, 2, 1) > 0 && (code >= 0x80 || code === EQUALS)) return 3;
      return 0;
    case AMPERSAND:
      return entity(units, at);
    case BACKSLASH:
      return backslash(units, at);
    default:
      return 0;
  }
}

/** Of `least` to `most` hexadecimal digits; `before`: units of the escape in front of them. */
function number(units: Uint16Array, from: number, least: number, most: number, before: number): number {
  let count = 0;
  code = 0;
  for (; count < most && digit(units, from + count) < 16; count += 1) code = code * 16 + digit(units, from + count);
  return count < least ? 0 : before + count;
}

function entity(units: Uint16Array, at: number): number {
  let end = at + 1;
  if (units[end] === HASH) {
    const isHex = units[end + 1] === X;
    const from = end + (isHex ? 2 : 1);
    end = from;
    code = 0;
    for (const base = isHex ? 16 : 10; end - from < 8 && digit(units, end) < base; end += 1) code = code * base + digit(units, end);
    if (end === from) return 0;
    return end - at + (units[end] === SEMICOLON ? 1 : 0);
  }
  while (end - at < ENTITY_CHARS && isAlnum(units[end] ?? 0)) end += 1;
  if (units[end] !== SEMICOLON || end - at < 3) return 0;
  code = AMP.every((each, i) => units[at + 1 + i] === each) ? AMPERSAND : OTHER; // other names are of no letter or digit
  return end + 1 - at;
}

function backslash(units: Uint16Array, at: number): number {
  const next = units[at + 1];
  if (next === X) return number(units, at + 2, 2, 2, 2);
  if (next === U) {
    if (units[at + 2] !== OPEN) return number(units, at + 2, 4, 4, 2);
    const count = number(units, at + 3, 1, 6, 3);
    return count > 0 && units[at + count] === CLOSE ? count + 1 : 0;
  }
  const count = number(units, at + 1, 1, 6, 1);
  const [a, b, c] = [digit(units, at + 1), digit(units, at + 2), digit(units, at + 3)];
  if (count < 7 && a < 4 && b < 8 && c < 8) {
    code = a * 64 + b * 8 + c; // octal, in JavaScript and of bytes; in a style sheet it would be a rare character
    return 4;
  }
  return count > 0 && units[at + count] === SPACE ? count + 1 : count;
}

export const isAlnum = (unit: number): boolean => (unit >= 97 && unit <= 122) || (unit >= 48 && unit <= 57);

/** Units, each with where it begins and ends in the text as it was. */
export type Placed = { units: Uint16Array; from: Int32Array; to: Int32Array; length: number };

export const placedRoom = (chars: number): Placed => ({
  units: new Uint16Array(chars),
  from: new Int32Array(chars),
  to: new Int32Array(chars),
  length: 0,
});

/** By unit: may an escape begin with it? */
const BEGINS = new Uint8Array(0x10000);
for (const unit of [PERCENT, AMPERSAND, EQUALS, BACKSLASH]) BEGINS[unit] = 1;

/** Stands between parts of a text; no character. */
export const BETWEEN = 0xffff;

/** The folded units that stand in the parts, in order, with every escape in them read; into the room. */
export function readEscapes(text: Uint16Array, parts: readonly Part[], room: Placed): Placed {
  const { units, from, to } = room;
  let kept = 0;
  const keep = (unit: number, at: number) => {
    units[kept] = unit;
    from[kept] = at;
    to[kept] = at + 1;
    kept += 1;
  };
  for (const { start, end } of parts) {
    for (let i = start; i < end; i += 1) keep(text[i] as number, i);
    if (end < text.length && kept < units.length) keep(BETWEEN, end);
  }
  room.length = kept;
  for (let depth = 0; depth < DEPTH; depth += 1) if (!readOnce(room)) break;
  return room;
}

/** Of a text, from its start to before its end. */
export type Part = { start: number; end: number };

/** What stands no further than `reach` from one of the places, which are in order. */
export function partsAround(places: readonly number[], reach: number, length: number): Part[] {
  const parts: Part[] = [];
  for (const place of places) {
    const part = { start: Math.max(0, place - reach), end: Math.min(length, place + reach) };
    const last = parts.at(-1);
    if (last && part.start <= last.end + 1) last.end = part.end;
    else parts.push(part);
  }
  return parts;
}

/** In place. False: there was none. */
function readOnce(placed: Placed): boolean {
  const { units, from, to, length } = placed;
  if (length < units.length) units[length] = 0; // what stands behind is of an earlier text
  let i = 0;
  while (i < length && BEGINS[units[i] as number] === 0) i += 1;
  let kept = i;
  let found = false;
  while (i < length) {
    let unit = units[i] as number;
    let count = 0;
    if (BEGINS[unit] === 1) {
      count = escapeChars(units, i);
      if (count > 0) unit = meant(code);
      else if (unit === BACKSLASH && i + 1 < length) {
        count = 2; // else it stands before a character that means itself
        unit = afterBackslash(units[i + 1] as number);
      }
      found ||= count > 0;
    }
    units[kept] = unit;
    from[kept] = from[i] as number;
    i += Math.max(1, count);
    to[kept] = to[i - 1] as number;
    kept += 1;
  }
  placed.length = kept;
  return found;
}

/** No tag begins or ends with a character that had to be escaped so as not to. */
function meant(point: number): number {
  if (point >= 0x80) return OTHER;
  if (point >= 65 && point <= 90) return point | 32;
  return point === 60 || point === 62 ? SPACE : point;
}

/** A line break or a tab is written with a letter. */
const afterBackslash = (unit: number): number => (unit === N || unit === R || unit === T ? SPACE : unit);
