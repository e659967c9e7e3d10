import { existsSync, readFileSync, statfsSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.ts";
import { secondTries } from "./test/support/second-tries.ts";

/** Chromes and stores make and remove thousands of small files: where memory can hold them, a tenth of the time goes with the disk. */
const MEMORY_FOLDER = "/dev/shm";
const ENOUGH_BYTES = 4 * 1024 ** 3;

function holdsTests(folder: string): boolean {
  if (!existsSync(folder) || !existsSync("/proc/mounts")) return false;
  const mount = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .find((line) => line.split(" ")[1] === folder);
  const { bsize, bavail } = statfsSync(folder);
  return mount !== undefined && !/\b(ro|noexec)\b/.test(mount.split(" ")[3] ?? "ro") && bsize * bavail >= ENOUGH_BYTES;
}
if (holdsTests(MEMORY_FOLDER)) process.env.TMPDIR ??= MEMORY_FOLDER;

/** As npm's scripts say it, also to who runs Vitest itself: each edge and node that a test starts compiles 1,000 modules, or finds them compiled. */
process.env.NODE_COMPILE_CACHE = resolve(process.env.NODE_COMPILE_CACHE || "node_modules/.cache/node");

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/soak/**"],
    globalSetup: ["test/support/trace-judge.ts", "test/support/run-folder.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } }, // a busy machine is no fault
    maxWorkers: 3, // on two cores: some wait while others work; a fourth only makes all of them dearer
    sequence: { sequencer: LongestFirst },
    isolate: false, // files share their worker and what it has imported: a fifth of the time of those that need no browser
    retry: process.env.CI ? 1 : 0, // and second-tries.ts names each test that needed it
    reporters: ["default", secondTries()],
  },
});
