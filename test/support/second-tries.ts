/** In CI a test gets a second try, and which ones needed it is said: a race on a busy machine blocks nobody, and stays in sight. */
import type { TestCase } from "vitest/node";
import type { Reporter } from "vitest/reporters";

export default class SecondTries implements Reporter {
  readonly #names: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky) this.#names.push(`${test.module.relativeModuleId} > ${test.fullName}`);
  }

  onTestRunEnd(): void {
    if (this.#names.length === 0) return;
    process.stdout.write(`Passed at the second try only, so look into it:\n${this.#names.map((name) => `  ${name}\n`).join("")}`);
  }
}
