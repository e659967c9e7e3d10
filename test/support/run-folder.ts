/** What the files of a worker share outlives each of them: it lives in a folder of the whole run, and ends with that. */
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause } from "../../shared/deadline.ts";

let dir = "";

export async function setup(): Promise<void> {
  dir = await mkdtemp(join(tmpdir(), "us-run-"));
  await chmod(dir, 0o755); // Postgres does not run as root
  process.env.TEST_RUN_FOLDER = dir;
}

export async function teardown(): Promise<void> {
  for (const name of await readdir(dir)) {
    const text = await readFile(join(dir, name, "data/postmaster.pid"), "utf8").catch(() => null);
    if (text !== null) await ended(Number(text.split("\n")[0]));
  }
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
}

/** Ends a server whose worker is gone. */
async function ended(pid: number): Promise<void> {
  try {
    for (process.kill(pid, "SIGQUIT"); ; process.kill(pid, 0)) await pause(10);
  } catch {} // gone
}
