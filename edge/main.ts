/** Starts the edge. The one file that asks which runtime it is on. */
import process from "node:process";
import { parseConfig } from "./config.ts";
import type { DenoRuntime } from "./main-deno.ts";

const deno = (globalThis as { Deno?: DenoRuntime }).Deno;
try {
  const config = parseConfig(deno ? deno.env.toObject() : process.env);
  const edge = deno
    ? await (await import("./main-deno.ts")).startOnDeno(deno, config)
    : await (await import("./main-node.ts")).startOnNode(config);
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => void edge[Symbol.asyncDispose]().then(() => process.exit(0)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
