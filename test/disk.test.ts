import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { diskTroubles, readDiskFree } from "../pool/disk.ts";

it("tells the room of real folders, and of one that is not there that nobody knows", async () => {
  const free = await readDiskFree({ data: tmpdir(), volume: "/nowhere/at/all" });
  expect(free.data).toBeGreaterThan(0);
  expect(free.volume).toBe(null);
});

it("complains of a disk below the limit and of one that does not answer, and of none without a limit", () => {
  const free = { data: 99_000_000, volume: null };
  expect(diskTroubles(free, 100_000_000)).toEqual([
    "The disk of the data folder has 99 MB left, and POOL_DISK_MIN_FREE_MB is 100",
    "The file system of the volume folder does not answer",
  ]);
  expect(diskTroubles({ data: 100_000_000 }, 100_000_000)).toEqual([]);
  expect(diskTroubles(free, 0)).toEqual([]);
});
