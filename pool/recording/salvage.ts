/** Makes artifacts of what a killed process left of a recording. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Artifact, SCREENSHOTS_FOLDER, TRACE_FILE } from "../../shared/recording.ts";
import { ACTION_LOG_FILE, ACTIONS_FOLDER, collectActionLog } from "./action-log.ts";
import { openPlain } from "./file-chunks.ts";
import { MAX_SNAPSHOT_BYTES } from "./limits.ts";
import { blobsOf, type TraceEvent, TraceEventSchema, TraceOrder, toLine } from "./trace-events.ts";
import { BLOBS_FOLDER, EVENTS_FILE, TRACE_FOLDER, traceEntries, writeTraceZip } from "./trace-zip.ts";
import { isZipEnd, ZIP_END_BYTES, type ZipEntry } from "./zip.ts";

const CHUNK_BYTES = 256 * 1024;
/** No event is longer; what is, is no event. */
const LINE_BYTES = MAX_SNAPSHOT_BYTES + 16 * 1024 * 1024;

export type SalvagedFile = Pick<Artifact, "name" | "kind" | "bytes">;

/**
 * Writes `trace.zip` and `action_log.json` in the run's folder as far as they are missing, from what is whole: a torn last line is left out,
 * actions still open are ended. Returns every artifact of the recording and the action log that is there now; none for a folder without any.
 */
export async function salvage(dir: string, runId: string): Promise<SalvagedFile[]> {
  const screenshots = await plainFiles(join(dir, SCREENSHOTS_FOLDER), /\.jpg$/);
  const actions = await plainFiles(join(dir, ACTIONS_FOLDER), /\.json$/);
  const trace = (await finishedSize(join(dir, TRACE_FILE))) ?? (await salvageTrace(dir));
  const log = actions.size > 0 ? await collectActionLog(dir, runId) : null;
  return [
    ...[...actions].map(([name, bytes]) => ({ name: `${ACTIONS_FOLDER}/${name}`, kind: "action" as const, bytes })),
    ...(log === null ? [] : [{ name: ACTION_LOG_FILE, kind: "action_log" as const, bytes: log }]),
    ...[...screenshots].map(([name, bytes]) => ({ name: `${SCREENSHOTS_FOLDER}/${name}`, kind: "screenshot" as const, bytes })),
    ...(trace === null ? [] : [{ name: TRACE_FILE, kind: "trace" as const, bytes: trace }]),
  ];
}

/** The size of a zip that has its end; a power cut can leave one without. */
async function finishedSize(path: string): Promise<number | null> {
  const bytes = await plainSize(path);
  if (bytes === null || bytes < ZIP_END_BYTES) return null;
  await using file = await openPlain(path);
  const { buffer } = await file.read(Buffer.alloc(ZIP_END_BYTES), 0, ZIP_END_BYTES, bytes - ZIP_END_BYTES);
  return isZipEnd(buffer) ? bytes : null;
}

async function salvageTrace(dir: string): Promise<number | null> {
  const entries = await salvagedEntries(dir, "The node died while this action ran");
  return entries && writeTraceZip(dir, entries);
}

/** What a whole zip can be made of, with the open actions ended for the `reason`; null if there is no trace. */
export async function salvagedEntries(dir: string, reason: string): Promise<ZipEntry[] | null> {
  const path = join(dir, TRACE_FOLDER, EVENTS_FILE);
  if ((await plainSize(path)) === null) return null;
  const order = new TraceOrder();
  const named = new Set<string>();
  let bytes = 0;
  for await (const line of lines(path)) {
    const event = toEvent(line);
    if (event === null || !order.admit(event)) break; // from here on nothing can be trusted
    for (const blob of blobsOf(event)) named.add(blob);
    bytes += line.length + 1;
  }
  if (bytes === 0) return null;
  const blobs = new Map<string, number>();
  for (const name of named) {
    const size = await plainSize(join(dir, TRACE_FOLDER, BLOBS_FOLDER, name));
    if (size !== null) blobs.set(name, size);
  }
  const tail = order.closing(reason).map((event) => toLine(event, (text) => text));
  return traceEntries(dir, { bytes, blobs, tail: Buffer.from(tail.join("")) });
}

function toEvent(line: Buffer): TraceEvent | null {
  try {
    return TraceEventSchema.parse(JSON.parse(line.toString()));
  } catch {
    return null; // torn, or what a power cut put there
  }
}

/** The whole lines of a file, without their line break; a last one that has none is left out. */
async function* lines(path: string): AsyncGenerator<Buffer, void, undefined> {
  await using file = await openPlain(path);
  let rest: Buffer[] = [];
  let restBytes = 0;
  while (restBytes <= LINE_BYTES) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES);
    if (bytesRead === 0) return;
    let block = buffer.subarray(0, bytesRead);
    for (let end = block.indexOf(10); end >= 0; end = block.indexOf(10)) {
      yield Buffer.concat([...rest, block.subarray(0, end)]);
      rest = [];
      restBytes = 0;
      block = block.subarray(end + 1);
    }
    rest.push(block);
    restBytes += block.length;
  }
}

async function plainFiles(folder: string, pattern: RegExp): Promise<Map<string, number>> {
  const files = new Map<string, number>();
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
  for (const name of names.sort()) {
    const bytes = pattern.test(name) ? await plainSize(join(folder, name)) : null;
    if (bytes !== null) files.set(name, bytes);
  }
  return files;
}

async function plainSize(path: string): Promise<number | null> {
  const about = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  });
  return about?.isFile() ? about.size : null;
}
