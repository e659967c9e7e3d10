/** Processes that a bench starts, talks to and ends, and how much memory they take. Linux. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { findDeno } from "../../support/deno.ts";
import type { BytesOutcome, BytesPlan, ReadsOutcome, ReadsPlan } from "./load.ts";

export const ROOT = new URL("../../../", import.meta.url).pathname;
const HERE = new URL("./", import.meta.url).pathname;

export type Running = AsyncDisposable & { pid: number };

function running(child: ChildProcess): Running {
  return {
    pid: child.pid as number,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), 3_000);
      await once(child, "exit");
      clearTimeout(killer);
    },
  };
}

/** Starts it and waits for a line that matches; its first group is the outcome. */
export async function start(
  command: string,
  args: string[],
  env: Record<string, string>,
  ready: RegExp,
): Promise<Running & { said: string }> {
  const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const said = await new Promise<string>((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      text += chunk;
      const found = ready.exec(text);
      if (found) resolve(found[1] ?? "");
    };
    child.stdout.on("data", onData);
    child.stderr.on("data", onData);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${command} ended with ${code}: ${text}`)));
  });
  return { ...running(child), said };
}

export const startOrigin = () => start(process.execPath, [`${HERE}origin.ts`], {}, /(http:\/\/\S+)/);

export const BENCH_KEY = "bench-key-bench-key";

const commandOf = (runtime: "node" | "deno", file: string): [string, string[]] =>
  runtime === "node"
    ? [process.execPath, [file]]
    : [findDeno() ?? "deno", ["run", "--v8-flags=--expose-gc", "--allow-net", "--allow-env", "--allow-read", file]];

export function startEdge(runtime: "node" | "deno", originUrl: string): Promise<Running & { said: string }> {
  const env = {
    EDGE_API_KEYS: `bench:runs:${BENCH_KEY}`,
    POOL_TOKEN: "bench-token",
    POOL_NODES: originUrl,
    EDGE_PORT: "0",
    LOG_LEVEL: "info",
  };
  return start(...commandOf(runtime, "edge/main.ts"), env, /"url":"(http[^"]+)","runtime"/);
}

export const startBareProxy = (runtime: "node" | "deno", originUrl: string): Promise<Running & { said: string }> =>
  start(...commandOf(runtime, `${HERE}bare-proxy.ts`), { TARGET: originUrl }, /"url":"(http[^"]+)"/);

export async function load(plan: ReadsPlan): Promise<ReadsOutcome>;
export async function load(plan: BytesPlan): Promise<BytesOutcome>;
export async function load(plan: ReadsPlan | BytesPlan): Promise<ReadsOutcome | BytesOutcome> {
  const child = await start(process.execPath, [`${HERE}load.ts`, JSON.stringify(plan)], {}, /(\{.*\})\n/);
  await child[Symbol.asyncDispose]();
  return JSON.parse(child.said);
}

/** Resident memory of a process and of those it started, in MB: now, and the most since `forgetPeak`. */
export function memory(pid: number): { nowMb: number; peakMb: number } {
  const fields = family(pid).map((each) => readFileSync(`/proc/${each}/status`, "utf8"));
  const sum = (name: string) =>
    fields.reduce((total, text) => total + Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1] ?? 0), 0) / 1024;
  return { nowMb: sum("VmRSS"), peakMb: sum("VmHWM") };
}

export function forgetPeak(pid: number): void {
  for (const each of family(pid)) writeFileSync(`/proc/${each}/clear_refs`, "5");
}

function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return [pid, ...(children === "" ? [] : children.split(" ").flatMap((child) => family(Number(child))))];
}
