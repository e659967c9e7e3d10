/** Replaces secrets in whatever leaves a run: in texts by their forms, also where a page has split them, and in data by its structure. */
import { SecretValue } from "../../shared/secret-value.ts";
import { bareRoom, baresOf, placeOf } from "./bare.ts";
import { type Compiled, compile, REDACTED } from "./compile.ts";
import { Cuts } from "./cuts.ts";
import { fold } from "./matcher.ts";
import { roomOf } from "./room.ts";
import { skeletonOf } from "./skeleton.ts";
import { visibleOf } from "./visible.ts";

/** Which part of a text is secret; `id` says which secret. */
export type Span = { start: number; end: number; id: number };

export type Redact = ((text: string) => string) & { pieces: (texts: readonly string[]) => string[]; isIdle: () => boolean };

export class Redactor {
  readonly #secrets: SecretValue[] = [];
  readonly #known = new Set<string>();
  #compiled: Compiled | null = null;
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
    const { exact, split, bare, margins, hasOther, bareReach, hasFew, short, starts } = this.#patterns();
    const spans: Span[] = [];
    const { length } = text;
    const room = roomOf(length);
    const units = fold(text, room.text);
    exact(units, length, (start, end, pattern) => {
      if (!pattern.exact || text.startsWith(pattern.text, start)) spans.push({ start, end, id: pattern.id });
    });
    const skeleton = skeletonOf(units, length, room);
    split(skeleton.units, skeleton.length, (start, end, { id }) => {
      spans.push({ start: skeleton.at[start] as number, end: (skeleton.at[end - 1] as number) + 1, id });
    });
    const cuts = new Cuts(text);
    cuts.look({ units, length, at: null, from: null, starts: starts.written, text });
    cuts.look({ ...skeleton, from: null, starts: starts.bare, text: null });
    if (hasOther || (bareReach > 0 && (skeleton.hasTags || skeleton.escapes.length > 0))) {
      room.bare ??= bareRoom(room.units.length);
      const known = merged(spans);
      for (const read of baresOf(units, length, skeleton, { whole: hasOther, reach: bareReach }, room.bare)) {
        let next = 0; // of those known, the first that may hold what is found
        bare(read.units, read.length, (first, end, { id }) => {
          const core = placeOf(read, first, end - 1);
          while (next < known.length && (known[next] as Span).end <= core.start) next += 1;
          const around = known[next];
          if (around && around.start <= core.start && around.end >= core.end) return;
          spans.push({ ...placeOf(read, first, end - 1, margins[id]), id });
        });
        cuts.look({ ...read, starts: starts.bare, text: null });
      }
    }
    const visible = hasFew ? visibleOf(text) : null;
    if (visible) {
      const seen = fold(visible.text);
      const from = (i: number) => visible.at[i] as number;
      exact(seen, seen.length, (start, end, pattern) => {
        if (pattern.exact && !visible.text.startsWith(pattern.text, start)) return;
        spans.push({ start: from(start), end: from(end - 1) + 1, id: pattern.id });
      });
      cuts.look({ units: seen, length: seen.length, at: visible.at, from: null, starts: starts.written, text: visible.text });
    }
    if (short.size > 0) spans.push(...shortFields(text, short));
    for (const cut of cuts.spans()) spans.push({ ...cut, id: -1 });
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

/** A value too short to be looked for in text is found where it is all that a field holds: in a query, in JSON, in a value attribute. */
function shortFields(text: string, short: ReadonlyMap<string, number>): Span[] {
  const spans: Span[] = [];
  for (const field of text.matchAll(/(?<==|[?&;][\w.%[\]-]{1,60}=|":\s?"|value=")([^&#;"'\s<>\\=]{1,3})(?=[&#;"'\\\s<>]|$)/g)) {
    const id = short.get(field[1] as string);
    if (id !== undefined) spans.push({ start: field.index, end: field.index + field[0].length, id });
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
