/** Two set-ups in one folder, as when edge and node are started side by side on a fresh clone: the second waits for the first. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ROOT } from "./packages.js";

const FILE = join(ROOT, ".setup.lock");
const LOOK_MS = 200;

/**
 * @template T
 * @param {() => Promise<T>} work
 * @param {(line: string) => void} say
 * @returns {Promise<T>}
 */
export async function oneAtATime(work, say) {
  let told = false;
  while (!take()) {
    if (!told) say("Another set-up works in this folder; waiting for it …");
    told = true;
    await pause(LOOK_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(FILE, { force: true });
  }
}

/** True if the folder is ours now. A holder that died has left its file behind, which goes first. */
function take() {
  try {
    writeFileSync(FILE, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    if (!isAlive(holder())) rmSync(FILE, { force: true });
    return false;
  }
}

/** NaN: it is just being written, or gone again. */
function holder() {
  try {
    return Number.parseInt(readFileSync(FILE, "utf8"), 10);
  } catch {
    return Number.NaN;
  }
}

function isAlive(/** @type {number} */ pid) {
  if (Number.isNaN(pid)) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
