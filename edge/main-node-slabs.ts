/**
 * Slabs that are used again. Chunks that were passed on are dead at once, but left to the collector they pile up: 80 to 180 MB with ten clients.
 * Here a slab goes back when every chunk of it was written to a client's socket. Whatever else becomes of a chunk (it was JSON, its client left)
 * leaves its slab to the collector: to lose one costs nothing, to reuse one too early would change a client's bytes.
 */
import { ServerResponse } from "node:http";
import type { SlabSource } from "./wire/slab.ts";

/** `out`: chunks handed out and not written yet. A slab is free when it is left and none is out. */
type Use = { slab: Buffer; out: number; left: boolean };

const MAX_FREE = 32;
const POOLED_BYTES = 128 * 1024; // smaller ones are not worth it

const free: Buffer[] = [];
const uses = new WeakMap<ArrayBufferLike, Use>();

export const recycledSlabs: SlabSource = {
  make(bytes) {
    if (bytes < POOLED_BYTES) return Buffer.allocUnsafeSlow(bytes);
    const slab = takeFree(bytes) ?? Buffer.allocUnsafeSlow(bytes);
    uses.set(slab.buffer, { slab, out: 0, left: false });
    return slab;
  },
  handedOut({ buffer }) {
    const use = uses.get(buffer);
    if (use) use.out++;
  },
  left({ buffer }) {
    const use = uses.get(buffer);
    if (use) use.left = true;
    if (use) release(use);
  },
};

/** A response that tells when a chunk has been written. Each chunk that was read is written at most once, as one piece. */
export class RecyclingResponse extends ServerResponse {
  override write(chunk: unknown, ...rest: unknown[]): boolean {
    if (rest.length > 0 || !(chunk instanceof Uint8Array)) return super.write(chunk, ...(rest as []));
    return super.write(chunk, (error) => {
      if (!error) written(chunk);
    });
  }
}

function written({ buffer }: Uint8Array): void {
  const use = uses.get(buffer);
  if (!use) return;
  use.out--;
  release(use);
}

function release(use: Use): void {
  if (!use.left || use.out > 0) return;
  uses.delete(use.slab.buffer);
  if (free.length < MAX_FREE) free.push(use.slab);
}

function takeFree(bytes: number): Buffer | null {
  const slab = free.at(-1);
  if (slab?.byteLength !== bytes) return null;
  free.pop();
  return slab;
}
