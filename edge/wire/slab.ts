/** Room to read into. Chunks are handed on without a copy, so a slab is left behind when it is used up. */

const FIRST_BYTES = 16 * 1024; // holds any small answer, and stands ready on every idle connection
const FULL_BYTES = 256 * 1024; // at this size reading costs half of what it costs at 64 KiB, on both runtimes
const LEAST_BYTES = 4 * 1024;

export type Slab = {
  /** The free room, at least 4 KiB. */
  room(): Uint8Array;
  /** The first `bytes` of the room last given, which are the reader's from now on. */
  take(bytes: number): Uint8Array;
};

/** Where slabs come from. One that is told of every chunk may use a slab again once all of them have left. */
export type SlabSource = {
  make(bytes: number): Uint8Array;
  /** One more chunk of this slab is out. */
  handedOut?(slab: Uint8Array): void;
  /** No more chunks will be handed out of it. */
  left?(slab: Uint8Array): void;
};

const fresh: SlabSource = { make: (bytes) => new Uint8Array(bytes) };

/** Grows once a read has filled all there was: a long body gets few large chunks, a short one no more memory than it needs. */
export function createSlab(source: SlabSource = fresh): Slab {
  let size = FIRST_BYTES;
  let slab: Uint8Array | null = null; // made at the first read
  let used = 0;
  return {
    room() {
      if (slab === null || slab.byteLength - used < LEAST_BYTES) {
        if (slab !== null) source.left?.(slab);
        slab = source.make(size);
        used = 0;
      }
      return slab.subarray(used);
    },
    take(bytes) {
      if (slab === null) throw new Error("Nothing was read: room() comes first");
      const from = used;
      used += bytes;
      if (used === slab.byteLength) size = FULL_BYTES;
      source.handedOut?.(slab);
      return slab.subarray(from, used);
    },
  };
}
