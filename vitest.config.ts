import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/soak/**"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2, // Chrome and Postgres want the rest of a small machine
    isolate: false, // files share their worker and what it has imported: a fifth of the time of those that need no browser
    reporters: ["default"],
  },
});
