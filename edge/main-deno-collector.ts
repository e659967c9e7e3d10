/**
 * Chunks that were passed on are dead at once, but V8 lets them pile up: on Deno to 160 MB with ten clients. A small collection every twelve megabytes
 * keeps that at about 50, and is faster than none, because it reuses pages that the CPU's cache still holds; every two, 25 MB at a tenth less
 * throughput. (Node uses its slabs again instead; Deno does not tell when a chunk has left.)
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collect = (options?: { type: "minor" }) => void;

const MINOR_BYTES = 12 * 1024 * 1024;
const FULL_BYTES = 32 * 1024 * 1024; // some 5 ms each

/** Told of bytes passed on, it collects when it is time: a little if `--v8-flags=--expose-gc` was given, else all, since Deno then knows no less. */
export function createCollector(): (bytes: number) => void {
  const exposed = (globalThis as { gc?: Collect }).gc;
  if (!exposed) setFlagsFromString("--expose-gc"); // a new context has it then
  const collect = exposed ?? (runInNewContext("gc") as Collect);
  const everyBytes = exposed ? MINOR_BYTES : FULL_BYTES;
  let passedBytes = 0;
  return (bytes) => {
    passedBytes += bytes;
    if (passedBytes < everyBytes) return;
    passedBytes = 0;
    collect({ type: "minor" });
  };
}
