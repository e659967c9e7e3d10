import { describe, expect, it } from "vitest";
import { onlyChecks } from "../../shared/start-failure.ts";

describe("the arguments of a program", () => {
  it("are none, or the one that has its settings judged; a misspelt one does not start it", () => {
    expect([[], ["--check-settings"]].map(onlyChecks)).toEqual([false, true]);
    for (const wrong of [["--check-setings"], ["--check-settings", "--now"], [""]]) {
      expect(() => onlyChecks(wrong)).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED" }));
    }
  });
});
