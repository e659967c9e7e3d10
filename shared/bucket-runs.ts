/** What lies in a bucket of a run that is over, for reading: `runs/<run_id>/manifest.json` names all of it, and is written last. */
import { type Bucket, unwell } from "./bucket.ts";
import { AppError } from "./errors.ts";
import { isRunId } from "./ids.ts";
import { type Artifact, isArtifactPath, type StoredManifest, StoredManifestSchema } from "./recording.ts";

/** First and last byte, both included. */
export type ByteRange = { start: number; end: number };
export type StoredArtifact = Artifact & { bytes: number; sha256: string };

export const MANIFEST_FILE = "manifest.json";
export const runKey = (runId: string, name: string): string => `runs/${runId}/${name}`;

/** A committed run never changes, but can be deleted: its manifest is believed for a moment, which a download's few requests fall into. */
const KEPT_MS = 5_000;
const MAX_KEPT = 256;
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;
/** Between two chunks. */
const IDLE_MS = 30_000;

export type BucketRuns = {
  /** null: no such run, or not yet. @throws POOL_UNREACHABLE */
  manifest(runId: string, signal?: AbortSignal): Promise<StoredManifest | null>;
  /** One entry of the manifest. */
  find(runId: string, path: string, signal?: AbortSignal): Promise<StoredArtifact | null>;
  /** Its bytes, as they are pulled. null when it is gone. */
  open(runId: string, artifact: StoredArtifact, range: ByteRange | null, signal?: AbortSignal): Promise<ObjectBody | null>;
  forget(runId: string): void;
};

export function createBucketRuns(bucket: Bucket): BucketRuns {
  const kept = new Map<string, { manifest: StoredManifest; atMs: number }>(); // oldest first

  const manifest: BucketRuns["manifest"] = async (runId, signal) => {
    if (!isRunId(runId)) return null;
    const hit = kept.get(runId);
    if (hit && Date.now() - hit.atMs < KEPT_MS) return hit.manifest;
    kept.delete(runId);
    const response = await bucket.request({ method: "GET", key: runKey(runId, MANIFEST_FILE), signal });
    if (response === null) return null;
    const found = parseManifest(runId, await readText(new ObjectBody(response, null), MAX_MANIFEST_BYTES));
    const [oldest] = kept.keys();
    if (kept.size >= MAX_KEPT && oldest !== undefined) kept.delete(oldest);
    kept.set(runId, { manifest: found, atMs: Date.now() });
    return found;
  };

  return {
    manifest,
    async find(runId, path, signal) {
      if (!isArtifactPath(path)) return null;
      const artifact = (await manifest(runId, signal))?.artifacts.find(({ name }) => name === path);
      return artifact?.bytes != null && artifact.sha256 !== null ? { ...artifact, bytes: artifact.bytes, sha256: artifact.sha256 } : null;
    },
    async open(runId, { name, bytes }, range, signal) {
      const { start, end } = range ?? { start: 0, end: bytes - 1 };
      if (range && !(start >= 0 && start <= end && end < bytes)) {
        throw new AppError("RANGE_NOT_SATISFIABLE", `Bytes ${start}–${end} are not in the artifact's ${bytes}`, { details: { bytes } });
      }
      const headers: Record<string, string> = range ? { Range: `bytes=${start}-${end}` } : {};
      const response = await bucket.request({ method: "GET", key: runKey(runId, name), headers, signal });
      if (response && range && response.status !== 206) {
        await response.body?.cancel();
        throw unwell("garbage", "does not answer with the range asked for");
      }
      return response && new ObjectBody(response, end - start + 1);
    },
    forget: (runId) => void kept.delete(runId),
  };
}

function parseManifest(runId: string, text: string): StoredManifest {
  try {
    const found = StoredManifestSchema.parse(JSON.parse(text));
    if (found.run_id === runId) return found;
  } catch {
    // below: whatever else lies there is not ours
  }
  throw unwell("garbage", "holds something that is not the run's manifest");
}

/** A small object's text. */
export async function readText(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let left = maxBytes;
  for await (const chunk of body) {
    left -= chunk.byteLength;
    if (left < 0) throw unwell("garbage", "holds more than it may");
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/**
 * An object's bytes. Lets go of its connection at the end, on an error, and when its reader leaves, also one that never pulled.
 * A silent bucket, and one that sends another number of bytes than it shall, is an error: no half artifact looks whole.
 */
export class ObjectBody implements AsyncIterableIterator<Uint8Array> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  #leftBytes: number | null;
  #isOver = false;

  /** @param bytes how many there must be; null: however many there are */
  constructor(response: Response, bytes: number | null) {
    this.#reader = response.body?.getReader() ?? null;
    this.#leftBytes = bytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#isOver) return { done: true, value: undefined };
    try {
      const { done, value } = this.#reader ? await withinIdle(this.#reader) : { done: true, value: undefined };
      if (done || !value) {
        this.#isOver = true;
        if (this.#leftBytes) throw unwell("truncated", "broke off in the middle of an artifact");
        return { done: true, value: undefined };
      }
      if (this.#leftBytes !== null) this.#leftBytes -= value.byteLength;
      if (this.#leftBytes !== null && this.#leftBytes < 0) throw unwell("garbage", "sends more than the artifact has");
      return { done: false, value };
    } catch (cause) {
      await this.return();
      throw cause instanceof AppError ? cause : unwell("truncated", "broke off in the middle of an artifact", cause);
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#isOver = true;
    await this.#reader?.cancel().catch(() => {}); // it may be broken already
    return { done: true, value: undefined };
  }
}

async function withinIdle(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silent = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unwell("timeout", `was silent for ${IDLE_MS} ms`)), IDLE_MS);
  });
  try {
    return await Promise.race([reader.read(), silent]);
  } finally {
    clearTimeout(timer);
  }
}
