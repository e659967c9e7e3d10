/**
 * Chunks that were passed on are dead at once, but V8 lets them pile up: 80 to 180 MB with ten clients. A small collection every few megabytes
 * keeps memory low and is faster than none, because it reuses pages that the CPU's cache still holds.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collect = (options?: { type: "minor" }) => void;

const MINOR_BYTES = 4 * 1024 * 1024; // below 0.3 ms each
const FULL_BYTES = 32 * 1024 * 1024; // some 5 ms each

/** Told of bytes passed on, it collects when it is time. */
export function createCollector(): (bytes: number) => void {
  const { collect, everyBytes } = findCollect();
  let passedBytes = 0;
  return (bytes) => {
    passedBytes += bytes;
    if (passedBytes < everyBytes) return;
    passedBytes = 0;
    collect();
  };
}

/** What a flag on the command line exposes (`--expose-gc`; on Deno `--v8-flags=--expose-gc`), or else a new context does: on Deno that one collects everything, whatever it is asked for. */
function findCollect(): { collect: () => void; everyBytes: number } {
  const exposed = (globalThis as { gc?: Collect }).gc;
  if (!exposed) setFlagsFromString("--expose-gc");
  const gc = exposed ?? (runInNewContext("gc") as Collect);
  const onlyFull = !exposed && "Deno" in globalThis;
  return { collect: () => gc({ type: "minor" }), everyBytes: onlyFull ? FULL_BYTES : MINOR_BYTES };
}
