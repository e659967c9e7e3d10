/** Byte ranges and conditions of a stored artifact (RFC 9110, sections 13 and 14), as pure functions. */
import type { ByteRange } from "./bucket-runs.ts";

/**
 * One range of a `Range` header, `end` inclusive. `null`: answer the whole (no range, another unit, several ranges, bad syntax: all of these a
 * server may ignore). `"unsatisfiable"`: answer 416.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | "unsatisfiable" | null {
  const match = /^bytes=(?:(\d+)-(\d*)|-(\d+))$/i.exec(header?.trim() ?? "");
  if (!match) return null;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" || last === undefined ? size - 1 : Number(last);
  if (last !== "" && last !== undefined && end < start) return null;
  return start >= size ? "unsatisfiable" : { start, end: Math.min(end, size - 1) };
}

/** May the range be served, as far as `If-Range` goes? Only a strong entity tag that is the artifact's own; a date is never ours. */
export const ifRangeHolds = (header: string | undefined, etag: string): boolean => header === undefined || header.trim() === etag;

/** Does `If-None-Match` name this artifact? Weak comparison, as the standard says for it. */
export function isNotModified(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === "*" || header.split(",").some((each) => each.trim().replace(/^W\//, "") === etag);
}
