import { defineConfig } from "vitest/config";

/** Their properties are tried few times in each run, and here often. */
const PROPERTIES = [
  "test/actions/selector-syntax.test.ts",
  "test/guardrails/destructive.test.ts",
  "test/guardrails/stuck.test.ts",
  "test/playbook/bind.test.ts",
  "test/playbook/load.test.ts",
  "test/playbook/selector-template.test.ts",
  "test/secrets/redactor.test.ts",
  "test/shared/errors.test.ts",
];

/** What is too long for every run: hundreds of runs, with faults mixed in. One file at a time, so that its counts are its own. */
export default defineConfig({
  test: {
    include: ["test/soak/**/*.test.ts", ...PROPERTIES],
    globalSetup: ["test/support/run-folder.ts"],
    env: { TEST_ROUNDS: "20" },
    testTimeout: 1_200_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    reporters: ["verbose"],
  },
});
