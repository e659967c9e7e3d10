/** One process per DATA_DIR. A kernel lock, taken through SQLite: free at once when its holder dies, and pid reuse cannot fool it. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "../../shared/errors.ts";
import { keptFileProblem } from "../../start/kept-file.ts";
import { makeFolder } from "../../start/make-folder.ts";

const SQLITE_BUSY = 5;
const LOCK_FILE = "node.lock";
/** Who holds the lock, for people: SQLite's own file tells nothing. It may be stale; the lock decides, not this. */
const HOLDER_FILE = "node.holder.json";

/** Makes the folder where it is missing and locks it. @throws CONFLICT, naming the holder, when another process has it; VALIDATION_FAILED when it cannot be one */
export function lockDataDir(dataDir: string): Disposable {
  makeFolder(dataDir, "DATA_DIR");
  const database = openFile(join(dataDir, LOCK_FILE));
  try {
    database.exec("PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw keptFileProblem(join(dataDir, LOCK_FILE), cause);
    throw new AppError(
      "CONFLICT",
      `Cannot open "${dataDir}": ${describeHolder(dataDir)} has it open. Stop that node, or set another DATA_DIR.`,
      { cause },
    );
  }
  const holder = join(dataDir, HOLDER_FILE);
  try {
    writeFileSync(holder, JSON.stringify({ pid: process.pid, host: hostname(), since: new Date().toISOString() }));
  } catch (cause) {
    database.close();
    throw keptFileProblem(holder, cause);
  }
  return {
    [Symbol.dispose]() {
      if (!database.isOpen) return;
      rmSync(holder, { force: true }); // while we still hold it: the next holder's must stay
      database.close();
    },
  };
}

function openFile(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path);
  } catch (cause) {
    throw keptFileProblem(path, cause);
  }
}

const isBusy = (error: unknown): boolean => error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;

function describeHolder(dataDir: string): string {
  try {
    const { pid, host, since } = JSON.parse(readFileSync(join(dataDir, HOLDER_FILE), "utf8"));
    return `process ${Number(pid)} on ${String(host)}, running since ${String(since)},`;
  } catch {
    return "another process"; // it holds the lock, and has not written its name yet
  }
}
