/** In CI a test gets a second try, and which ones needed it is said: a race on a busy machine blocks nobody, and stays in sight. */
import type { Reporter } from "vitest/node";

export function secondTries(): Reporter {
  const names: string[] = [];
  return {
    onTestCaseResult(test) {
      if (test.diagnostic()?.flaky) names.push(`${test.module.relativeModuleId} > ${test.fullName}`);
    },
    onTestRunEnd() {
      if (names.length === 0) return;
      process.stdout.write(`Passed at the second try only, so look into it:\n${names.map((name) => `  ${name}\n`).join("")}`);
    },
  };
}
