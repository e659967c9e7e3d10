/** Small files that a DATA_DIR keeps from one start to the next: keys, a node's name. Launchers and nodes read them alike, and say alike why they cannot. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { AppError } from "../shared/errors.ts";
import { folderProblem, isFolder } from "./make-folder.ts";

const NOT_ALLOWED = "this user may not use it";
const WHY: Record<string, string> = { EISDIR: "it is a folder", EACCES: NOT_ALLOWED, EPERM: NOT_ALLOWED, ELOOP: "it is a link to itself" };
const OF_THE_DISK = ["ENOSPC", "EDQUOT", "EROFS"];

/** What it holds, without the space around; null: it is not there. @throws as keptFileProblem says */
export async function readKept(path: string): Promise<string | null> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw keptFileProblem(path, cause);
  }
}

/** It is there whole or not at all. @throws as keptFileProblem says */
export async function writeKept(path: string, text: string, mode: number): Promise<void> {
  const part = `${path}.part`;
  await writeFile(part, `${text}\n`, { mode, flush: true }).catch((cause: unknown) => {
    throw keptFileProblem(part, cause);
  });
  await rename(part, path);
}

/** One sentence: VALIDATION_FAILED, for somebody has to put it right; of a disk that is full or read-only what is said of its folder. */
export function keptFileProblem(path: string, cause: unknown): AppError {
  const code = codeOf(cause);
  if (OF_THE_DISK.includes(code)) return folderProblem(dirname(path), "DATA_DIR", cause);
  const why = isFolder(path)
    ? WHY.EISDIR
    : (WHY[code] ?? `it cannot be used (${cause instanceof Error && code.startsWith("ERR_") ? cause.message : code})`);
  const message = `Cannot use the file "${path}": ${why}; put that right, or set DATA_DIR to another folder`;
  return new AppError("VALIDATION_FAILED", message, { cause });
}

const codeOf = (cause: unknown): string => (cause instanceof Error && "code" in cause ? String(cause.code) : "");
