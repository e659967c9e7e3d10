/** The processes of one Chrome, which end together. */
import type { ChildProcess } from "node:child_process";
import { pause } from "../../shared/deadline.ts";
import { groupExists, groupMembers, isAlive, killGroup } from "./process-identity.ts";

/** A killed process may still be busy in the kernel. */
const GONE_LIMIT_MS = 1_000;
/** As a rule all of it is gone by then, and buried. */
const BURIED_MS = 50;

/** The operating system's side of a Chrome: one process group, of which the browser process is the leader. */
export class ProcessGroup {
  readonly pid: number;
  readonly exited: Promise<string>;
  isRunning = true;
  #isGone = false;

  constructor(child: ChildProcess & { pid: number }) {
    this.pid = child.pid;
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.isRunning = false;
        resolve(signal ?? `exit code ${code}`);
      });
    });
  }

  /** false: there was nothing left to kill. Once it is gone its number may be somebody else's. */
  kill(): boolean {
    return !this.#isGone && killGroup(this.pid);
  }

  /** Kills what is left of it, and waits for its end. Whoever adopts the dead may take their time to bury them: that is not ours to wait for. */
  async gone(): Promise<void> {
    const killedAt = performance.now();
    let isThere = this.kill();
    while (isThere && performance.now() < killedAt + BURIED_MS) {
      await pause(2);
      isThere = groupExists(this.pid);
    }
    const members = isThere ? groupMembers(this.pid) : []; // a look at every process of the machine, seldom needed
    while (members.some(isAlive) && performance.now() < killedAt + GONE_LIMIT_MS) await pause(2);
    this.#isGone = true;
  }
}
