/** The recording's folder and the zip that is made of it: `trace.trace`, its events, and `resources/`, the blobs they name. */
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { TRACE_FILE } from "../../shared/recording.ts";
import { writeAll } from "./file-chunks.ts";
import { type ZipEntry, zipStream } from "./zip.ts";

/** Beside the artifacts, in the run's folder; not an artifact itself. */
export const TRACE_FOLDER = "trace";
export const EVENTS_FILE = "trace.trace";
export const BLOBS_FOLDER = "resources";

export type TraceParts = {
  /** Bytes of the events' file, whole lines. */
  bytes: number;
  /** Blob name → bytes. */
  blobs: ReadonlyMap<string, number>;
  /** Lines that the file lacks. */
  tail?: Uint8Array;
};

/** What the zip of the run in `dir` consists of; events first, so that the first byte needs no look at a blob. */
export function traceEntries(dir: string, { bytes, blobs, tail }: TraceParts): ZipEntry[] {
  const folder = join(dir, TRACE_FOLDER);
  return [
    { name: EVENTS_FILE, path: join(folder, EVENTS_FILE), bytes, method: "deflate", ...(tail ? { tail } : {}) },
    ...[...blobs].map(
      ([name, bytes]): ZipEntry => ({
        name: `${BLOBS_FOLDER}/${name}`,
        path: join(folder, BLOBS_FOLDER, name),
        bytes,
        method: /\.(jpe?g|png|webp|gif|woff2?|mp4|webm|zip|gz)$/.test(name) ? "store" : "deflate",
      }),
    ),
  ];
}

/** Writes `trace.zip` whole: a reader of that name never sees a part of it. Returns its size. A commit to the volume makes it outlast a power cut. */
export async function writeTraceZip(dir: string, entries: readonly ZipEntry[]): Promise<number> {
  const path = join(dir, TRACE_FILE);
  const part = `${path}.part`;
  let bytes = 0;
  try {
    await using file = await open(part, "w", 0o600);
    for await (const chunk of zipStream(entries)) {
      await writeAll(file, chunk);
      bytes += chunk.byteLength;
    }
  } catch (error) {
    await rm(part, { force: true }).catch(() => {}); // the failure that brought us here is the one to tell
    throw error;
  }
  await rename(part, path);
  return bytes;
}
