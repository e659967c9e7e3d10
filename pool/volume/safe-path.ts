/** Paths below a folder that a name from outside can never leave. */
import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isArtifactPath } from "../../shared/recording.ts";

/** The path of the artifact below `folder`, or null for a name that is none. */
export const artifactPath = (folder: string, name: string): string | null =>
  isArtifactPath(name) ? join(folder, ...name.split("/")) : null;

/**
 * Opens a plain file of the folder for reading; null where there is none. A symbolic link is refused wherever it stands on the way from the
 * folder to the file, and so is what is not a plain file.
 */
export async function openWithin(folder: string, name: string): Promise<FileHandle | null> {
  const path = artifactPath(folder, name);
  if (path === null) return null;
  let file: FileHandle | undefined;
  try {
    const parent = dirname(name) === "." ? folder : join(folder, ...dirname(name).split("/"));
    const [realFolder, realParent] = await Promise.all([realpath(folder), realpath(parent)]);
    if (realParent !== join(realFolder, dirname(name))) return null;
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK); // non-blocking: a named pipe would wait for a writer
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return null;
  } catch (error) {
    await file?.close();
    if (ABSENT.has((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}

/** Not there, not a folder on the way, a link, a socket, a name too long. */
const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP", "EMLINK", "ENXIO", "ENAMETOOLONG"]);
