/** Folders that keep another user out: Chrome runs as `nobody` where we are root, and /root or a home is often closed to all but its owner. */
import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** The outermost folder on the way to this file or folder that other users may not pass, itself included where it is one; null: they may pass all. */
export function closedFolder(path: string): string | null {
  let closed: string | null = null;
  for (let each = realpathSync(path); ; each = dirname(each)) {
    const found = statSync(each);
    if (found.isDirectory() && (found.mode & 0o001) === 0) closed = each;
    if (each === dirname(each)) return closed;
  }
}

/** What to say when a program did not start as another user; null: no folder was in its way, or it is not there. */
export function whyOutOfReach(program: string, uid: number): string | null {
  let folder: string | null;
  try {
    folder = closedFolder(program);
  } catch {
    return null; // an update has just taken it away: that is said by who tried to start it
  }
  return folder && `user ${uid} cannot enter "${folder}", where it is. Let others pass (chmod o+x '${folder}'), or install it elsewhere`;
}
