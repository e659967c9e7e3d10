/** A peer as a process of its own, with a temporary folder of its own. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withDeadline } from "../../../shared/deadline.ts";
import { INHERITED } from "../../support/environment.ts";
import { endAllIn } from "./life-line.ts";

const LIMIT_MS = 60_000;

export type PeerProcess = AsyncDisposable & {
  pid: number;
  child: ChildProcess;
  /** Waits for what it does. @throws with what it has written, when it ends instead, or takes longer than a minute */
  whileAlive<T>(work: Promise<T>): Promise<T>;
};

/** Runs `file` in the folder `cwd`. `env` is told the temporary folder. */
export async function startPeer(
  file: string,
  { args, cwd, env = () => ({}) }: { args: string[]; cwd: string; env?: (folder: string) => Record<string, string> },
): Promise<PeerProcess> {
  const folder = await mkdtemp(join(tmpdir(), "us-peer-"));
  const child = fork(new URL(file, import.meta.url), args, {
    env: { ...INHERITED, ...env(folder), TMPDIR: folder },
    cwd,
    execArgv: [],
    detached: true, // Ctrl+C is for the bench, which lets go of it
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
  const exited = once(child, "exit");
  const failed = (how: string) => new Error(`${file} ${how}:\n${output.slice(-4_000)}`);
  const ended = exited.then(([code, signal]) => Promise.reject(failed(`ended with ${signal ?? code}`)));
  ended.catch(() => {}); // heard by who waits
  return {
    pid: child.pid as number,
    child,
    whileAlive: (work) =>
      withDeadline(LIMIT_MS, () => Promise.race([work, ended]), { reason: () => failed(`did nothing for ${LIMIT_MS / 1000} s`) }),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      const killer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await exited;
      clearTimeout(killer);
      endAllIn(folder); // had it died by itself
    },
  };
}
