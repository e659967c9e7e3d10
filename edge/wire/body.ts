/** A framed body, pulled chunk by chunk. A body that ends before its frame does is an error, never an end. */
import { AppError } from "../../shared/errors.ts";
import { type Framing, notHttp } from "./head.ts";

/** null is the true end; a truncated body rejects. */
export type Read = () => Promise<Uint8Array | null>;

const LF = 10;
const MAX_LINE_BYTES = 1024;

/**
 * @param rest what came with the head
 * @param more the connection's next bytes, null at its end
 * @param onEnd called once, at the true end; `reusable` when nothing more stands on the connection
 */
export function readBody(framing: Framing, rest: Uint8Array, more: Read, onEnd: (reusable: boolean) => void): Read {
  if (framing.kind === "chunked") return chunked(rest, more, onEnd);
  if (framing.kind === "close") return untilClose(rest, more, onEnd);
  return counted(framing.kind === "length" ? framing.bytes : 0, rest, more, onEnd);
}

function counted(length: number, rest: Uint8Array, more: Read, onEnd: (reusable: boolean) => void): Read {
  let left = length;
  let pending: Uint8Array | null = rest.byteLength > 0 ? rest : null;
  if (left === 0) onEnd(pending === null); // at once: nobody may come to read a body that is empty
  return async () => {
    if (left === 0) return null;
    const chunk = pending ?? (await more());
    pending = null;
    if (chunk === null) throw truncated();
    if (chunk.byteLength < left) {
      left -= chunk.byteLength;
      return chunk;
    }
    const last = chunk.subarray(0, left);
    const reusable = chunk.byteLength === left;
    left = 0;
    onEnd(reusable); // now, and not at the next read: a reader who knows the length need not ask again
    return last;
  };
}

function untilClose(rest: Uint8Array, more: Read, onEnd: (reusable: boolean) => void): Read {
  let first: Uint8Array | null = rest.byteLength > 0 ? rest : null;
  let ended = false;
  return async () => {
    if (ended) return null;
    const chunk = first ?? (await more());
    first = null;
    if (chunk !== null) return chunk;
    ended = true;
    onEnd(false);
    return null;
  };
}

/**
 * RFC 9112, 7.1. Extensions and trailers are read over. All data that is in hand is given as one piece, moved together where it lies: a write to
 * the client costs more than that, and nodes send many small chunks.
 */
function chunked(rest: Uint8Array, more: Read, onEnd: (reusable: boolean) => void): Read {
  let bytes = rest;
  let at = 0;
  let left = 0; // of the chunk's data
  let state: "size" | "data" | "data end" | "trailer" | "end" = "size";
  let line = "";
  let failure: unknown = null; // of what stands behind data that is good

  /** The next line without its end, or null when these bytes do not hold all of it. */
  const takeLine = (): string | null => {
    const end = bytes.indexOf(LF, at);
    const piece = String.fromCharCode(...bytes.subarray(at, end < 0 ? Math.min(bytes.byteLength, at + MAX_LINE_BYTES + 1) : end));
    if (line.length + piece.length > MAX_LINE_BYTES) throw notHttp("a chunk has no size");
    line += piece;
    at = end < 0 ? bytes.byteLength : end + 1;
    if (end < 0) return null;
    const whole = line.endsWith("\r") ? line.slice(0, -1) : line;
    line = "";
    return whole;
  };

  const takeFrame = (): void => {
    const text = takeLine();
    if (text === null) return;
    if (state === "data end") {
      if (text !== "") throw notHttp("a chunk is longer than it says");
      state = "size";
    } else if (state === "size") {
      const size = /^([0-9a-f]{1,11})[ \t]*(?:;|$)/i.exec(text);
      if (!size) throw notHttp("a chunk has no size");
      left = Number.parseInt(size[1] as string, 16);
      state = left === 0 ? "trailer" : "data";
    } else if (text === "") {
      state = "end";
      onEnd(at === bytes.byteLength);
    }
  };

  /** The data of all chunks in hand, or null. */
  const takeData = (): Uint8Array | null => {
    let from = -1;
    let to = -1;
    try {
      while (at < bytes.byteLength && state !== "end") {
        if (state !== "data") {
          takeFrame();
          continue;
        }
        const length = Math.min(left, bytes.byteLength - at);
        if (from < 0) from = to = at;
        else bytes.copyWithin(to, at, at + length);
        to += length;
        at += length;
        left -= length;
        if (left === 0) state = "data end";
      }
    } catch (error) {
      failure = error;
    }
    return from < 0 ? null : bytes.subarray(from, to);
  };

  return async () => {
    for (;;) {
      if (failure !== null) throw failure;
      const data = takeData();
      if (data !== null) return data;
      if (failure !== null) throw failure;
      if (state === "end") return null;
      const next = await more();
      if (next === null) throw truncated();
      bytes = next;
      at = 0;
    }
  };
}

const truncated = (): AppError =>
  new AppError("POOL_UNREACHABLE", "A node broke off in the middle of its answer", { details: { reason: "truncated" }, retryAfterS: 1 });
