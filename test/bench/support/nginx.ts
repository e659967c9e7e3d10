/** nginx as a reverse proxy, with the configuration that is committed beside the benches. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { type Running, start } from "./processes.ts";

export type Nginx = Running & { port: number; config: string };

export async function startNginx(originUrl: string, buffering: "on" | "off"): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), "us-nginx-"));
  const port = await freePort();
  const template = await readFile(new URL("../nginx.conf", import.meta.url), "utf8");
  const values: Record<string, string> = {
    workers: String(availableParallelism()),
    folder,
    port: String(port),
    origin: new URL(originUrl).host,
    buffering,
  };
  const config = template.replace(/\$\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
  await writeFile(join(folder, "nginx.conf"), config);
  const child = await start(
    "nginx",
    ["-p", folder, "-c", join(folder, "nginx.conf")],
    { PATH: `${process.env.PATH}:/usr/sbin` },
    /(start worker process \d+)/,
  ).catch((cause) => {
    throw new Error("nginx did not start. On Debian: apt-get install nginx-light", { cause });
  });
  return {
    pid: child.pid,
    port,
    config,
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
