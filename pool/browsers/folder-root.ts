/** Where the folders of this node's Chromes live, and the sweep of what an earlier process left there. */
import { createHash } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, realpathSync } from "node:fs";
import { readdir, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { AppError } from "../../shared/errors.ts";
import type { Log } from "../telemetry/log.ts";
import { folderAt, MAX_TMPDIR_BYTES, readRecord, removeFolder } from "./browser-folder.ts";
import { closedFolder } from "./closed-folder.ts";
import { groupMembers, isAlive, killGroup, machineIdentity, type ProcessIdentity } from "./process-identity.ts";

/** Longest name of a Chrome's folder: six hex digits of the boot, a dash, its number. */
const LONGEST_NAME = "ffffff-99999999";

/**
 * Where the folders may be, best first: `<DATA_DIR>/browsers`; else, where that is too long for Chrome's sockets or closed to Chrome's
 * own user, a folder in the system's temporary directory that bears the node's name. The next boot sweeps them all.
 */
export function folderCandidates(dataDir: string, nodeId: string): string[] {
  mkdirSync(dataDir, { recursive: true });
  const name = `understudy-${createHash("sha256").update(nodeId).digest("hex").slice(0, 12)}`;
  return [...new Set([join(realpathSync(dataDir), "browsers"), join(realpathSync(tmpdir()), name), join("/tmp", name)])];
}

/**
 * Opens the first of them that will do. Before every launch: an empty folder in a temporary directory may be tidied away any day.
 * @param uid the user Chrome runs as, null: ours
 * @throws SETUP_FAILED none will
 */
export function openFolderRoot(candidates: string[], uid: number | null): string {
  for (const path of candidates) {
    if (Buffer.byteLength(folderAt(join(path, LONGEST_NAME)).tmp) > MAX_TMPDIR_BYTES) continue;
    if (uid !== null && closedFolder(dirname(path)) !== null) continue;
    makeUnlessThere(path);
    assertOurs(path);
    chmodSync(path, uid === null ? 0o700 : 0o711);
    return path;
  }
  throw new AppError(
    "SETUP_FAILED",
    `No folder will do for Chrome: tried ${candidates.join(", ")}. Set TMPDIR to a short path open to all.`,
  );
}

/** What is there in its place, `assertOurs` says. */
function makeUnlessThere(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

/** In a directory that all may write to, somebody else may have made "our" folder first. */
function assertOurs(path: string): void {
  const found = lstatSync(path);
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid())) {
    throw new AppError("SETUP_FAILED", `"${path}" is not a folder of this user; remove it, or set TMPDIR`);
  }
}

/**
 * Ends what earlier processes left: their Chromes (the pipe has ended all that were not stopped) and their folders.
 * A folder whose node still lives is left alone. A process group is killed only if it is the recorded one.
 */
export async function sweepFolders(candidates: string[], log: Log): Promise<void> {
  for (const candidate of candidates) {
    const names = await readdir(candidate).catch(() => []); // never used
    for (const name of names) {
      const path = join(candidate, name);
      const record = readRecord(path);
      const sameMachine = record !== null && record.machine === machineIdentity();
      if (sameMachine && isAlive(record.node)) continue;
      if (sameMachine && record.chrome !== null && isRecordedGroup(record.chrome)) killGroup(record.chrome.pid);
      await removeFolder(path).then(
        () => log.info("removed the folder of an earlier Chrome", { path }),
        (error: unknown) => log.warn("could not remove the folder of an earlier Chrome", { path, error }),
      );
    }
    await removeFolderRoot(candidate);
  }
}

/** Only when it is empty. */
export async function removeFolderRoot(path: string): Promise<void> {
  await rmdir(path).catch(() => {}); // it is not: another node of this name may live
}

/**
 * Guards against reused numbers: the leader must be the very process we started; where it is gone, every member must bear its name
 * (a number is not given again while a group uses it, so only a whole foreign group could stand there).
 */
function isRecordedGroup(chrome: ProcessIdentity): boolean {
  const members = groupMembers(chrome.pid);
  const leader = members.find((member) => member.pid === chrome.pid);
  if (leader !== undefined) return leader.startTicks === chrome.startTicks;
  return members.length > 0 && members.every((member) => member.name === chrome.name && member.startTicks >= chrome.startTicks);
}
