/** Makes a folder that a variable names. Launchers and nodes do it alike, so that both say which variable to change. */
import { mkdirSync, mkdtempSync, rmdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { AppError } from "../shared/errors.ts";

const WHY: Record<string, string> = {
  EEXIST: "it is a file",
  ENOTDIR: "something above it is a file",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  ENOENT: "nothing can be written there, as below /proc: the system makes what is in it",
  EROFS: "it is on a disk that can only be read",
};
const FULL = ["ENOSPC", "EDQUOT"];

/** The folder is there and can be written to when this returns. @throws as folderProblem says */
export function makeFolder(path: string, variable: string): void {
  try {
    makeLevels(path);
    rmdirSync(mkdtempSync(join(path, ".writable-"))); // root may write anywhere, and still not on a read-only disk, or below /proc
  } catch (cause) {
    throw folderProblem(path, variable, cause);
  }
}

/** The same for a folder that is only read from: it may stand on a disk that can only be read. */
export function findFolder(path: string, variable: string): void {
  try {
    makeLevels(path);
  } catch (cause) {
    throw folderProblem(path, variable, cause);
  }
}

/** One sentence, which names the variable: VALIDATION_FAILED, or SETUP_FAILED for a full disk, which needs no other setting and may have room at the next start. */
export function folderProblem(path: string, variable: string, cause: unknown): AppError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const what = `Cannot use the folder "${path}"`;
  if (FULL.includes(code))
    return new AppError("SETUP_FAILED", `${what}: its disk is full; make room there, or set ${variable} to one on another disk`, { cause });
  const why = WHY[code] ?? `nothing can be written there (${code})`;
  return new AppError("VALIDATION_FAILED", `${what}: ${why}; set ${variable} to one that this user can write to`, { cause });
}

/** Level by level: Node's own recursive mkdir never ends below /proc, and hears no signal meanwhile. */
function makeLevels(path: string): void {
  if (isFolder(path)) return;
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    if (error.code === "EEXIST" && isFolder(path)) return; // another process made it
    if (error.code !== "ENOENT" || dirname(path) === path || isFolder(dirname(path))) throw error;
    makeLevels(dirname(path));
    makeLevels(path);
  }
}

export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // or not to be seen: making it says why
  }
}
