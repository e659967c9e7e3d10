/** An artifact of the bucket as a node would answer with it: whole, a range of it, 304 or 416. */
import type { ByteRange, ObjectBody, StoredArtifact } from "../../shared/bucket-runs.ts";
import { AppError } from "../../shared/errors.ts";
import { ifRangeHolds, isNotModified, parseRange } from "../../shared/range.ts";
import type { WireAnswer } from "../wire/exchange.ts";

type Open = (range: ByteRange | null) => Promise<ObjectBody | null>;

/** @throws RANGE_NOT_SATISFIABLE · POOL_UNREACHABLE */
export async function artifactAnswer(
  { bytes, sha256 }: StoredArtifact,
  method: "GET" | "HEAD",
  headers: Record<string, string>,
  open: Open,
): Promise<WireAnswer> {
  const etag = `"${sha256}"`;
  const fields: Record<string, string> = { etag, "accept-ranges": "bytes" };
  if (isNotModified(headers["if-none-match"], etag)) return answerOf(304, fields, nothing);
  const range = ifRangeHolds(headers["if-range"], etag) ? parseRange(headers.range, bytes) : null;
  if (range === "unsatisfiable") throw new AppError("RANGE_NOT_SATISFIABLE", "The range lies outside of it", { details: { bytes } });
  fields["content-length"] = String(range ? range.end - range.start + 1 : bytes);
  if (range) fields["content-range"] = `bytes ${range.start}-${range.end}/${bytes}`;
  const status = range ? 206 : 200;
  if (method === "HEAD" || bytes === 0) return answerOf(status, fields, nothing);
  const body = await open(range);
  if (body === null) throw new AppError("NOT_FOUND", "The run has no such artifact", { details: { reason: "deleted" } });
  const read = async () => (await body.next()).value ?? null;
  return answerOf(status, fields, read, () => void body.return());
}

export function answerOf(status: number, fields: Record<string, string>, read: WireAnswer["read"], cancel = () => {}): WireAnswer {
  return { status, field: (name) => fields[name], keepAlive: false, whole: null, read, cancel };
}

const nothing = async (): Promise<null> => null;
