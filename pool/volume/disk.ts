/** How full the disk is. */
import { statfs } from "node:fs/promises";

/** Bytes that this process may still write on the file system of `path`. */
export async function freeDiskBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
