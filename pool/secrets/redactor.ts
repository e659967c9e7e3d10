/** Replaces secrets in whatever leaves a run: in texts by their forms, also where a page has split them, and in data by its structure. */
import { SecretValue } from "../../shared/secret-value.ts";
import { createMatcher, fold, type Matcher, type Pattern } from "./matcher.ts";
import { skeletonOf } from "./skeleton.ts";
import { MIN_CHARS, variantsOf } from "./variants.ts";

/** What is left of a text that held nothing else, where no name may be shown. */
export const REDACTED = "[redacted]";
/** So many letters and digits must agree where others stand between them. */
const SKELETON_CHARS = 8;
/** From here on a form is found in any case; a shorter word may be an ordinary one. */
const ANY_CASE_CHARS = 8;
/** Texts up to here share one room to be worked on. */
const ROOM_CHARS = 1 << 14;
const CUT = "…";
/** How far before a cut the beginning of a secret is looked for. */
const CUT_CHARS = 256;

/** Which part of a text is secret; `id` says which secret. */
export type Span = { start: number; end: number; id: number };

export type Redact = ((text: string) => string) & { pieces: (texts: readonly string[]) => string[]; isIdle: () => boolean };

type Compiled = {
  exact: Matcher;
  split: Matcher;
  marks: string[];
  short: Map<string, number>;
  starts: Map<string, string[]>;
  longest: number;
};

export class Redactor {
  readonly #secrets: SecretValue[] = [];
  readonly #known = new Set<string>();
  #compiled: Compiled | null = null;
  readonly #room = roomFor(ROOM_CHARS);
  readonly #extensions: Redactor[] = [];

  constructor(secrets: readonly SecretValue[] = []) {
    for (const secret of secrets) this.learn(secret);
  }

  /** One more to look for, from now on: a password that a run has typed, say. */
  learn(secret: SecretValue): void {
    const value = secret.reveal();
    if (value === "" || this.#known.has(value)) return;
    this.#known.add(value);
    this.#secrets.push(secret);
    this.#compiled = null;
    for (const each of this.#extensions) each.learn(secret);
  }

  /** One that looks for the same, for what this one learns later too, and for more of its own. */
  extended(): Redactor {
    const more = new Redactor(this.#secrets);
    this.#extensions.push(more);
    return more;
  }

  get isEmpty(): boolean {
    return this.#secrets.length === 0;
  }

  /** Most characters that a form of a secret can have, with what may stand inside it. */
  get reach(): number {
    return this.#patterns().longest * 4 + 256;
  }

  /** The text with a mark, `[secret:name]`, in place of each secret. A function by itself, for whoever needs nothing else. */
  readonly text: Redact = Object.assign((text: string): string => this.#one(text), {
    pieces: (texts: readonly string[]): string[] => this.pieces(texts),
    isIdle: () => this.isEmpty,
  });

  #one(text: string): string {
    if (this.isEmpty || text === "") return text;
    const short = this.#patterns().short.get(text.trim());
    return short === undefined ? this.#replace(text, this.spans(text)) : this.mark(short);
  }

  /** A copy with every string, key and number of it redacted. Pieces of an array that are one secret together are seen as such. */
  deep(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value === "number") return this.spans(String(value)).length === 0 ? value : this.text(String(value));
    if (value instanceof SecretValue) return value.toString();
    if (Array.isArray(value)) {
      const isText = value.length > 1 && value.every((each) => typeof each === "string");
      return isText ? this.pieces(value as string[]) : value.map((each) => this.deep(each));
    }
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [this.text(key), this.deep(each)]));
  }

  /** Texts that follow each other in a page or a message: text nodes in their order, arguments of a console call. */
  pieces(texts: readonly string[]): string[] {
    if (this.isEmpty) return [...texts];
    const spans = this.pieceSpans(texts);
    return texts.map((text, i) => {
      const own = spans[i] as Span[];
      return own.length === 0 ? this.text(text) : this.#replace(text, own);
    });
  }

  /** As `pieces`, with what is secret in each. */
  pieceSpans(texts: readonly string[]): Span[][] {
    const found: Span[][] = texts.map(() => []);
    let piece = 0;
    let offset = 0;
    for (const { start, end, id } of this.spans(texts.join(""))) {
      while (start >= offset + (texts[piece] as string).length) offset += (texts[piece++] as string).length;
      for (let at = piece, from = offset; at < texts.length && from < end; from += (texts[at++] as string).length) {
        const length = (texts[at] as string).length;
        const span = { start: Math.max(0, start - from), end: Math.min(length, end - from), id };
        if (span.end > span.start) found[at]?.push(span);
      }
    }
    return found;
  }

  /** What is secret in the text, from its start on; none overlaps another. */
  spans(text: string): Span[] {
    if (this.isEmpty) return [];
    const { exact, split, short, starts } = this.#patterns();
    const spans: Span[] = [];
    const { length } = text;
    const room = length <= ROOM_CHARS ? this.#room : roomFor(length);
    const units = fold(text, room.text);
    exact(units, length, (start, end, pattern) => {
      if (!pattern.exact || text.startsWith(pattern.text, start)) spans.push({ start, end, id: pattern.id });
    });
    const skeleton = skeletonOf(units, length, room);
    split(skeleton.units, skeleton.length, (start, end, { id }) => {
      spans.push({ start: skeleton.at[start] as number, end: (skeleton.at[end - 1] as number) + 1, id });
    });
    if (short.size > 0) spans.push(...shortFields(text, short));
    spans.push(...cutOnes(text, starts));
    return merged(spans);
  }

  mark(id: number): string {
    return this.#patterns().marks[id] ?? REDACTED;
  }

  #replace(text: string, spans: readonly Span[]): string {
    if (spans.length === 0) return text;
    let out = "";
    let from = 0;
    for (const { start, end, id } of spans) {
      out += text.slice(from, start) + this.mark(id);
      from = end;
    }
    return out + text.slice(from);
  }

  #patterns(): Compiled {
    this.#compiled ??= compile(this.#secrets);
    return this.#compiled;
  }
}

const roomFor = (chars: number) => ({ text: new Uint16Array(chars), units: new Uint16Array(chars), at: new Int32Array(chars) });

function compile(secrets: readonly SecretValue[]): Compiled {
  const exact = new Map<string, Pattern>();
  const split = new Map<string, Pattern>();
  const short = new Map<string, number>();
  const starts = new Map<string, string[]>();
  let longest = 0;
  for (const [id, secret] of secrets.entries()) {
    const value = secret.reveal();
    if (value.length < MIN_CHARS) {
      if (value.trim() !== "") short.set(value.trim(), id);
      continue;
    }
    for (const text of variantsOf(value)) {
      const folded = fold(text);
      const isWord = text.length < ANY_CASE_CHARS && /^[a-z]*$/i.test(text);
      const wanted = isWord ? text : text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()); // as `fold` does
      if (!exact.has(wanted)) exact.set(wanted, { units: folded, text, id, exact: isWord });
      longest = Math.max(longest, text.length);
      const start = text.slice(0, MIN_CHARS);
      starts.set(start, [...(starts.get(start) ?? []), text]);
      const { units, length } = skeletonOf(folded, folded.length, roomFor(folded.length));
      const letters = units.slice(0, length);
      const key = String.fromCharCode(...letters.subarray(0, 4_000));
      if (length >= SKELETON_CHARS && !split.has(key)) split.set(key, { units: letters, text, id, exact: false });
    }
  }
  const compiled = { exact: createMatcher([...exact.values()]), split: createMatcher([...split.values()]), short, starts, longest };
  const holds = (text: string) => [...exact.values()].some((each) => text.toLowerCase().includes(each.text.toLowerCase()));
  return { ...compiled, marks: secrets.map((secret) => [String(secret), "[secret]", REDACTED].find((mark) => !holds(mark)) ?? "•••") };
}

/** A value too short to be looked for in text is found where it is all that a field holds: in a query, in JSON, in a value attribute. */
function shortFields(text: string, short: ReadonlyMap<string, number>): Span[] {
  const spans: Span[] = [];
  for (const field of text.matchAll(/(?<==|[?&;][\w.%[\]-]{1,60}=|":\s?"|value=")([^&#;"'\s<>\\=]{1,3})(?=[&#;"'\\\s<>]|$)/g)) {
    const id = short.get(field[1] as string);
    if (id !== undefined) spans.push({ start: field.index, end: field.index + field[0].length, id });
  }
  return spans;
}

/** Where a text was cut, as "…" says, the beginning of a secret may be left. */
function cutOnes(text: string, starts: ReadonlyMap<string, string[]>): Span[] {
  const spans: Span[] = [];
  let before = 0;
  for (let cut = text.indexOf(CUT); cut >= 0; before = cut + 1, cut = text.indexOf(CUT, before)) {
    for (let start = Math.max(before, cut - CUT_CHARS); start <= cut - MIN_CHARS; start += 1) {
      const candidates = starts.get(text.slice(start, start + MIN_CHARS));
      if (!candidates?.some((each) => each.startsWith(text.slice(start, cut)))) continue;
      spans.push({ start, end: cut, id: -1 });
      break;
    }
  }
  return spans;
}

/** In order, those that overlap joined under the name of the longest. */
function merged(spans: Span[]): Span[] {
  const out: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = out.at(-1);
    if (!last || span.start >= last.end) {
      out.push({ ...span });
      continue;
    }
    if (span.end - span.start > last.end - last.start) last.id = span.id;
    last.end = Math.max(last.end, span.end);
  }
  return out;
}
