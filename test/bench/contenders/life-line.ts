/** Ends a peer with all that it has started: some leave their Chromes behind when they die. What belongs to one is told by the TMPDIR that it was given. */
import { readdirSync, readFileSync, rmSync } from "node:fs";

/** Kills every process with this TMPDIR but the caller, with its whole group, and removes the folder. */
export function endAllIn(folder: string): void {
  const ownGroup = groupOf("self");
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    if (!read(`/proc/${pid}/environ`).includes(`TMPDIR=${folder}\0`)) continue;
    const group = groupOf(pid);
    kill(group === ownGroup ? Number(pid) : -group);
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** To be called by a peer's process: it ends, as above, when the bench lets go of it or is gone. */
export function endWithBench(): void {
  const folder = process.env.TMPDIR as string;
  process.once("disconnect", () => {
    endAllIn(folder);
    process.exit(0);
  });
}

const groupOf = (pid: string): number => {
  const line = read(`/proc/${pid}/stat`);
  return Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[2]);
};

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // gone, or not ours
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone meanwhile
  }
}
