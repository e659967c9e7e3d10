/** A real Postgres server for tests: on a temporary directory, gone afterwards. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { pause } from "../../shared/deadline.ts";

export interface TestPostgres extends AsyncDisposable {
  /** The process that all its others are children of. */
  readonly pid: number;
  /** The URL of a fresh, empty database. */
  createDatabase(): Promise<string>;
  /** SIGKILL, as when the machine's memory is gone. The data stays. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** An orderly end that throws its clients out. */
  stop(): Promise<void>;
}

const binaries = findBinaries();

/** Why tests that need Postgres are skipped here, or null. In CI a missing one is a failure, not a reason. */
export const postgresMissing: string | null = binaries === null && process.env.CI !== "true" ? "Postgres is not installed" : null;

function findBinaries(): string | null {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const version = versions.find((each) => existsSync(join(root, each, "bin", "initdb")));
  return version === undefined ? null : join(root, version, "bin");
}

/** Postgres refuses to run as root; Debian's package brings a user for it. */
const asRoot = process.getuid?.() === 0;
const user = asRoot
  ? { uid: Number(execFileSync("id", ["-u", "postgres"]).toString()), gid: Number(execFileSync("id", ["-g", "postgres"]).toString()) }
  : {};

/** Without `settings` (as `name=value`) it forgets its last moments in a power cut, and takes 60 connections. Its folder is made in `parent`. */
export async function startPostgres({ settings = ["max_connections=60", "fsync=off"], parent = tmpdir() } = {}): Promise<TestPostgres> {
  if (binaries === null) throw new Error("Postgres is not installed: apt-get install postgresql");
  const dir = mkdtempSync(join(parent, "us-pg-"));
  if (asRoot) chownSync(dir, user.uid as number, user.gid as number);
  execFileSync(join(binaries, "initdb"), ["-D", join(dir, "data"), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"], {
    ...user,
    cwd: dir,
    stdio: "pipe",
  });
  const port = await freePort();
  const url = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`;
  let server: ChildProcess | null = null;
  let databases = 0;

  async function start(): Promise<void> {
    const options = [
      "-D",
      join(dir, "data"),
      "-p",
      String(port),
      "-k",
      dir,
      "-h",
      "127.0.0.1",
      ...settings.flatMap((each) => ["-c", each]),
    ];
    server = spawn(join(binaries as string, "postgres"), options, { ...user, cwd: dir, stdio: "ignore" });
    for (;;) {
      const client = new Client(url("postgres"));
      client.on("error", () => {}); // it may break while we ask
      try {
        await client.connect();
        await client.end();
        return;
      } catch (error) {
        if (server.exitCode !== null) throw error;
        await pause(25);
      }
    }
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = new Promise((resolve) => ending.once("exit", resolve));
    // Its backends outlive a killed server for a moment, answer queries, and keep the next one from starting.
    const backends = readFileSync(`/proc/${ending.pid}/task/${ending.pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
    ending.kill(signal);
    if (signal === "SIGKILL") for (const pid of backends) if (isAlive(pid)) process.kill(pid, signal);
    await gone;
    while (backends.some(isAlive)) await pause(5);
  }

  await start();
  return {
    get pid() {
      return server?.pid as number;
    },
    start,
    stop: () => end("SIGINT"),
    kill: () => end("SIGKILL"),
    async createDatabase() {
      databases += 1;
      const client = new Client(url("postgres"));
      await client.connect();
      await client.query(`CREATE DATABASE test_${databases}`);
      await client.end();
      return url(`test_${databases}`);
    },
    async [Symbol.asyncDispose]() {
      await end("SIGQUIT");
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("No free port");
  return address.port;
}
