/** Starts an edge in this thread, on whatever runtime this is. */
import process from "node:process";
import { type EdgeConfig, parseConfig } from "./config.ts";
import type { RunningEdge } from "./edge.ts";
import type { DenoRuntime } from "./main-deno.ts";
import { joinThreads, type Threads } from "./main-threads.ts";

export const DRAIN_MS = 5_000; // downloads may end; event streams are resumed elsewhere

/** `threads`: null for an edge of a single one. */
export type Started = { config: EdgeConfig; edge: RunningEdge; threads: Threads | null; runtime: string };

const deno = (globalThis as { Deno?: DenoRuntime }).Deno;

/** @throws VALIDATION_FAILED, naming all that are wrong */
export const readSettings = (): EdgeConfig => parseConfig(deno ? deno.env.toObject() : process.env);

export async function startHere(as: "first" | "joining"): Promise<Started> {
  const config = readSettings();
  const threads = config.threads > 1 ? joinThreads(config.threads) : null;
  const options = { peers: threads?.peers, share: threads ? as : undefined };
  const edge = deno
    ? await (await import("./main-deno.ts")).startOnDeno(deno, config, options)
    : await (await import("./main-node.ts")).startOnNode(config, options);
  return { config, edge, threads, runtime: deno ? `deno ${deno.version.deno}` : `node ${process.versions.node}` };
}
