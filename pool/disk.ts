/** Room on the disks that a node writes to. */
import { statfs } from "node:fs/promises";

export type DiskPlace = "data" | "volume";
/** Bytes that this process may still write, by place; null: the file system did not say. */
export type DiskFree = Partial<Record<DiskPlace, number | null>>;

/** @param folders where each place is; one that is no folder of this machine is left out */
export async function readDiskFree(folders: Partial<Record<DiskPlace, string>>): Promise<DiskFree> {
  const places = Object.entries(folders) as [DiskPlace, string][];
  const free = places.map(async ([place, folder]) => [place, await freeBytes(folder)] as const);
  return Object.fromEntries(await Promise.all(free));
}

const freeBytes = (folder: string): Promise<number | null> =>
  statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  );

/** Why the disks are no good for more runs; empty: they are. Open to anybody, so it names no path. */
export function diskTroubles(free: DiskFree, minFreeBytes: number): string[] {
  if (minFreeBytes === 0) return [];
  return Object.entries(free).flatMap(([place, bytes]) => {
    if (bytes === null) return [`The file system of the ${place} folder does not answer`];
    if (bytes >= minFreeBytes) return [];
    return [`The disk of the ${place} folder has ${toMb(bytes)} MB left, and POOL_DISK_MIN_FREE_MB is ${toMb(minFreeBytes)}`];
  });
}

const toMb = (bytes: number): number => Math.floor(bytes / 1e6);
