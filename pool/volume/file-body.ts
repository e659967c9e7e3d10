/** A file as a body. */
import type { FileHandle } from "node:fs/promises";

const CHUNK_BYTES = 256 * 1024;

/**
 * The bytes of an open file, read as they are pulled. Closes the file at the end, on an error, and when its reader leaves:
 * also one that never pulled, which a generator would not notice.
 */
export class FileBody implements AsyncIterableIterator<Uint8Array> {
  readonly #file: FileHandle;
  readonly #end: number;
  readonly #keepOpen: boolean;
  #position: number;
  #done = false;

  constructor(file: FileHandle, start: number, end: number, options: { keepOpen?: boolean } = {}) {
    this.#file = file;
    this.#position = start;
    this.#end = end;
    this.#keepOpen = options.keepOpen ?? false;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#done) return { done: true, value: undefined };
    try {
      const length = Math.min(CHUNK_BYTES, this.#end - this.#position + 1);
      if (length <= 0) return await this.return();
      const buffer = Buffer.allocUnsafeSlow(length);
      const { bytesRead } = await this.#file.read(buffer, 0, length, this.#position);
      if (bytesRead === 0) {
        if (this.#end === Number.POSITIVE_INFINITY) return await this.return();
        throw new Error(`The artifact ended at byte ${this.#position}, not at ${this.#end + 1}`);
      }
      this.#position += bytesRead;
      return { done: false, value: buffer.subarray(0, bytesRead) };
    } catch (error) {
      await this.return();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#done) {
      this.#done = true;
      if (!this.#keepOpen) await this.#file.close();
    }
    return { done: true, value: undefined };
  }
}
