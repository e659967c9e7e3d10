/** The trace's blobs, kept by content: each once, whole on disk before its name is given away. */
import { createHash } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { OnLimit, Warn } from "./warn.ts";

export type BlobLimits = { blobs: number; blobBytes: number };
/** Behind a disk that cannot keep up, further ones are left out. */
const WAITING_BYTES = 16 * 1024 * 1024;

type BlobsOptions = { dir: string; limits: BlobLimits; warn: Warn; onLimit: OnLimit };

export class Blobs {
  readonly #options: BlobsOptions;
  readonly #sizes = new Map<string, number>();
  readonly #pending = new Map<string, Promise<string | null>>();
  #bytes = 0;
  #waitingBytes = 0;

  constructor(options: BlobsOptions) {
    this.#options = options;
  }

  /** Names and sizes, of whole ones only. */
  get sizes(): ReadonlyMap<string, number> {
    return this.#sizes;
  }

  /** As `add`, under a name made of the content. */
  addContent(bytes: Uint8Array, extension: string): Promise<string | null> {
    return this.add(`${createHash("sha1").update(bytes).digest("hex")}.${extension}`, bytes);
  }

  /** The name once it can be read; null when there is no room for it. Never rejects. */
  async add(name: string, bytes: Uint8Array): Promise<string | null> {
    if (this.#sizes.has(name)) return name;
    const pending = this.#pending.get(name);
    if (pending) return await pending;
    if (this.#full(bytes.byteLength)) return null;
    this.#bytes += bytes.byteLength;
    this.#waitingBytes += bytes.byteLength;
    const writing = this.#write(name, bytes).finally(() => {
      this.#pending.delete(name);
      this.#waitingBytes -= bytes.byteLength;
    });
    this.#pending.set(name, writing);
    return await writing;
  }

  async #write(name: string, bytes: Uint8Array): Promise<string | null> {
    const path = join(this.#options.dir, name);
    try {
      await writeFile(`${path}.part`, bytes, { mode: 0o600 });
      await rename(`${path}.part`, path); // a killed process leaves no half one under this name
      this.#sizes.set(name, bytes.byteLength);
      return name;
    } catch (cause) {
      this.#options.warn("A part of the trace could not be written", cause);
      return null;
    }
  }

  #full(more: number): boolean {
    const { limits, onLimit } = this.#options;
    const { blobs, blobBytes } = limits;
    const isSlow = this.#waitingBytes > WAITING_BYTES;
    if (!isSlow && this.#sizes.size + this.#pending.size < blobs && this.#bytes + more <= blobBytes) return false;
    onLimit(
      isSlow
        ? `${WAITING_BYTES} bytes of bodies and pictures that wait for the disk`
        : `${blobs} bodies and pictures, or ${blobBytes} bytes of them`,
    );
    return true;
  }
}
