/** A stored artifact → an HTTP response: whole, a range of it, 304 or 416. */
import { AppError } from "../../shared/errors.ts";
import { ifRangeHolds, isNotModified, parseRange } from "../../shared/range.ts";
import type { Volume } from "../volume/volume.ts";
import { toBody } from "./body.ts";

const TYPES: Record<string, string> = {
  zip: "application/zip",
  jpg: "image/jpeg",
  json: "application/json",
  jsonl: "application/x-ndjson",
};

/** Artifacts hold what pages said: never let a browser take one for a page of ours. */
export const ARTIFACT_HEADERS = { "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'" };

export const contentType = (path: string): string => TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";

/** Shows a picture, downloads the rest. */
export const disposition = (path: string): string =>
  `${path.endsWith(".jpg") ? "inline" : "attachment"}; filename="${path.slice(path.lastIndexOf("/") + 1)}"`;

/** @throws NOT_FOUND · RANGE_NOT_SATISFIABLE */
export async function artifactResponse(volume: Volume, runId: string, path: string, request: Request): Promise<Response> {
  const about = await volume.stat(runId, path);
  if (!about) throw new AppError("NOT_FOUND", "The run has no such artifact");
  const { size, etag } = about;
  const headers = new Headers({
    "Content-Type": contentType(path),
    "Content-Disposition": disposition(path),
    "Accept-Ranges": "bytes",
    ETag: etag,
    ...ARTIFACT_HEADERS,
  });
  const header = (name: string) => request.headers.get(name) ?? undefined;
  if (isNotModified(header("If-None-Match"), etag)) return new Response(null, { status: 304, headers });
  const range = ifRangeHolds(header("If-Range"), etag) ? parseRange(header("Range"), size) : null;
  if (range === "unsatisfiable") {
    throw new AppError("RANGE_NOT_SATISFIABLE", `The artifact has ${size} bytes`, { details: { size } });
  }
  const length = range ? range.end - range.start + 1 : size;
  headers.set("Content-Length", String(length));
  if (range) headers.set("Content-Range", `bytes ${range.start}-${range.end}/${size}`);
  const status = range ? 206 : 200;
  if (request.method === "HEAD") return new Response(null, { status, headers });
  const opened = await volume.open(runId, path, range ?? undefined);
  if (!opened) throw new AppError("NOT_FOUND", "The run has no such artifact");
  return new Response(toBody(opened.body), { status, headers });
}
