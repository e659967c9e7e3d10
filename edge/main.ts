/** Starts the edge. The one file that asks which runtime it is on. */
import process from "node:process";
import { parseConfig } from "./config.ts";
import type { RunningEdge } from "./edge.ts";
import type { DenoRuntime } from "./main-deno.ts";

const DRAIN_MS = 5_000; // downloads may end; event streams are resumed elsewhere

const deno = (globalThis as { Deno?: DenoRuntime }).Deno;

async function start(): Promise<RunningEdge> {
  if (deno) return (await import("./main-deno.ts")).startOnDeno(deno, parseConfig(deno.env.toObject()));
  return (await import("./main-node.ts")).startOnNode(parseConfig(process.env));
}

try {
  const starting = start();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, async () => {
      const edge = await starting; // a second signal ends the process at once
      await edge.drain(DRAIN_MS);
      await edge[Symbol.asyncDispose]();
      process.exit(0);
    });
  }
  await starting;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
