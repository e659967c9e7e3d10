/** An edge to test against: in this process on Node, or as a process of its own on Deno. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { parseConfig } from "../../edge/config.ts";
import type { EdgeLimits } from "../../edge/edge.ts";
import { startOnNode } from "../../edge/main-node.ts";
import { findDeno } from "./deno.ts";
import { INHERITED } from "./environment.ts";
import { POOL_TOKEN, type StandInNode } from "./stand-in-node.ts";

export type TestEdge = AsyncDisposable & { url: string; get: TestFetch };
/** With the key of `tester`, unless another is given; null: without one. */
export type TestFetch = (path: string, init?: RequestInit & { key?: string | null }) => Promise<Response>;

export const KEYS = { tester: "key-of-tester", other: "key-of-other", admin: "key-of-admin", reader: "key-of-reader" };
const API_KEYS = `tester:runs:${KEYS.tester},other:runs:${KEYS.other},admin:runs+pool:${KEYS.admin},reader:read:${KEYS.reader}`;

export const edgeEnv = (nodes: readonly (StandInNode | string)[], env: Record<string, string> = {}): Record<string, string> => ({
  EDGE_API_KEYS: API_KEYS,
  EDGE_PORT: "0",
  EDGE_THREADS: "1",
  POOL_TOKEN,
  POOL_NODES: nodes.map((node) => (typeof node === "string" ? node : node.url)).join(","),
  LOG_LEVEL: "silent",
  ...env,
});

export async function edgeOnNode(
  nodes: readonly (StandInNode | string)[],
  env: Record<string, string> = {},
  limits: EdgeLimits = {},
): Promise<TestEdge> {
  const edge = await startOnNode(parseConfig(edgeEnv(nodes, env)), { limits });
  return { url: edge.url, get: requester(edge.url), [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose]() };
}

export async function edgeOnDeno(nodes: readonly (StandInNode | string)[], env: Record<string, string> = {}): Promise<TestEdge> {
  const child = spawn(findDeno() ?? "deno", ["run", "--allow-net", "--allow-env", "--allow-read", "edge/main.ts"], {
    cwd: new URL("../..", import.meta.url),
    env: { ...INHERITED, ...edgeEnv(nodes, env), LOG_LEVEL: "info" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const [, found] = /"url":"(http[^"]+)","runtime"/.exec(said) ?? [];
      if (found) resolve(found);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`The edge on Deno ended with ${code}: ${said}`)));
  });
  return {
    url,
    get: requester(url),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

const requester =
  (url: string): TestFetch =>
  (path, { key = KEYS.tester, headers, ...init } = {}) =>
    fetch(url + path, {
      ...init,
      headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...(headers as Record<string, string>) },
    });
