import { defineConfig } from "vitest/config";

/** What is too long for every run: hundreds of runs, with faults mixed in. One file at a time, so that its counts are its own. */
export default defineConfig({
  test: {
    include: ["test/soak/**/*.test.ts"],
    testTimeout: 1_200_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    reporters: ["verbose"],
  },
});
