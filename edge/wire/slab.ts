/** Room to read into. Chunks are handed on without a copy and are never written to again, so a slab is left behind when it is used up. */

const FIRST_BYTES = 16 * 1024; // holds any small answer, and stands ready on every idle connection
const FULL_BYTES = 256 * 1024; // at this size reading costs half of what it costs at 64 KiB, on both runtimes
const LEAST_BYTES = 4 * 1024;

export type Slab = {
  /** The free room, at least 4 KiB. */
  room(): Uint8Array;
  /** The first `bytes` of the room last given, which are the reader's from now on. */
  take(bytes: number): Uint8Array;
};

/** Grows once a read has filled all there was: a long body gets few large chunks, a short one no more memory than it needs. */
export function createSlab(allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes)): Slab {
  let size = FIRST_BYTES;
  let slab: Uint8Array | null = null; // made at the first read
  let used = 0;
  return {
    room() {
      if (slab === null || slab.byteLength - used < LEAST_BYTES) {
        slab = allocate(size);
        used = 0;
      }
      return slab.subarray(used);
    },
    take(bytes) {
      if (slab === null) throw new Error("Nothing was read: room() comes first");
      const from = used;
      used += bytes;
      if (used === slab.byteLength) size = FULL_BYTES;
      return slab.subarray(from, used);
    },
  };
}
