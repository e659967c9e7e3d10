/** One file's way into a bucket, in pieces that fit into memory, each with its hash: the server refuses what has changed on its way. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { type Bucket, unwell, xmlValues } from "../../shared/bucket.ts";
import { AppError } from "../../shared/errors.ts";

/** What was sent of a file. `etag` is what most servers call an object with these bytes: its MD5, or that of its parts' MD5s. */
export type Uploaded = { bytes: number; sha256: string; etag: string };

/** S3's least is 5 MiB, its most are 10,000 parts. */
const PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;
/** A part gets through on any line that is worth the name. */
const PART_LIMIT_MS = 120_000;

type Gate = <T>(work: () => Promise<T>) => Promise<T>;

/** @param gate holds how many pieces are in memory at once, over all uploads */
export async function uploadFile(bucket: Bucket, key: string, file: FileHandle, gate: Gate): Promise<Uploaded> {
  const { size } = await file.stat();
  if (size > PART_BYTES) return uploadParts(bucket, key, file, size, gate);
  return gate(async () => {
    const piece = await readPiece(file, 0, size);
    const md5 = createHash("md5").update(piece).digest();
    const sha256 = await putPiece(bucket, { key, piece, md5 });
    return { bytes: size, sha256, etag: md5.toString("hex") };
  });
}

async function uploadParts(bucket: Bucket, key: string, file: FileHandle, size: number, gate: Gate): Promise<Uploaded> {
  const partBytes = Math.max(PART_BYTES, Math.ceil(size / MAX_PARTS));
  const [uploadId] = xmlValues(await textOf(await bucket.request({ method: "POST", key, query: { uploads: "" } })), "UploadId");
  if (uploadId === undefined) throw unwell("garbage", "began an upload without an id");
  const whole = createHash("sha256");
  const ofParts = createHash("md5");
  const parts: string[] = [];
  try {
    for (let start = 0; start < size; start += partBytes) {
      await gate(async () => {
        const piece = await readPiece(file, start, Math.min(partBytes, size - start));
        whole.update(piece);
        const md5 = createHash("md5").update(piece).digest();
        ofParts.update(md5);
        const query = { partNumber: String(parts.length + 1), uploadId };
        await putPiece(bucket, { key, piece, md5, query, onEtag: (etag) => parts.push(etag) });
      });
    }
    const list = parts.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`).join("");
    const body = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`;
    const done = await textOf(await bucket.request({ method: "POST", key, query: { uploadId }, body, limitMs: PART_LIMIT_MS }));
    const [failure] = xmlValues(done, "Code"); // S3 may begin with 200 and fail afterwards
    if (failure !== undefined) throw unwell("failed", `answered ${failure.slice(0, 100)}`);
  } catch (error) {
    await bucket.request({ method: "DELETE", key, query: { uploadId } }).catch(() => {}); // else the bucket's own rule for unfinished uploads takes it
    throw error;
  }
  return { bytes: size, sha256: whole.digest("hex"), etag: `${ofParts.digest("hex")}-${parts.length}` };
}

type Piece = { key: string; piece: Buffer<ArrayBuffer>; md5: Buffer; query?: Record<string, string>; onEtag?: (etag: string) => void };

/** Returns its SHA-256, in hex. */
async function putPiece(bucket: Bucket, { key, piece, md5, query, onEtag }: Piece): Promise<string> {
  const sha256 = createHash("sha256").update(piece).digest("hex");
  const headers = { "Content-MD5": md5.toString("base64"), "X-Amz-Content-Sha256": sha256 };
  const answer = await bucket.request({ method: "PUT", key, query, headers, body: piece, limitMs: PART_LIMIT_MS });
  await textOf(answer);
  if (onEtag) onEtag(answer?.headers.get("etag") ?? "");
  return sha256;
}

async function readPiece(file: FileHandle, start: number, length: number): Promise<Buffer<ArrayBuffer>> {
  const piece = Buffer.allocUnsafeSlow(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(piece, filled, length - filled, start + filled);
    if (bytesRead === 0) throw new AppError("INTERNAL", `A staged file ended at byte ${start + filled}, while it was taken`);
    filled += bytesRead;
  }
  return piece;
}

async function textOf(response: Response | null): Promise<string> {
  if (response === null) throw unwell("garbage", "does not know an upload that it has just begun");
  return response.text();
}

const escapeXml = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
