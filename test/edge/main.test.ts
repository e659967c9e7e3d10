import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { findDeno } from "../support/deno.ts";
import { edgeEnv } from "../support/edge.ts";

const deno = findDeno();
const runtimes: [string, string, string[]][] = [
  ["Node", process.execPath, ["edge/main.ts"]],
  ...(deno ? [["Deno", deno, ["run", "--allow-net", "--allow-env", "--allow-read", "edge/main.ts"]] as [string, string, string[]]] : []),
];

describe.each(runtimes)("the edge as a process on %s", (_, command, args) => {
  const start = (env: Record<string, string>) => {
    const child = spawn(command, args, {
      cwd: new URL("../..", import.meta.url),
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr.setEncoding("utf8");
    return child;
  };

  it("refuses to start without keys and token, and says so in plain words", async () => {
    const child = start({});
    let said = "";
    child.stderr.on("data", (text: string) => {
      said += text;
    });
    const [code] = await once(child, "close");
    expect(code).toBe(1);
    expect(said).toMatch(/^The edge cannot start:\n {2}EDGE_API_KEYS is missing[^\n]*\n {2}POOL_TOKEN is missing[^\n]*\n$/);
  });

  it("ends by itself when it is told to", async () => {
    const child = start({ ...edgeEnv(["http://127.0.0.1:1"]), LOG_LEVEL: "info" });
    await once(child.stderr, "data"); // it listens
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});
