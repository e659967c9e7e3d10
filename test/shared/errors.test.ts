import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  AppError,
  ERROR_CODES,
  ErrorBodySchema,
  ErrorCodeSchema,
  formatPath,
  toErrorDetail,
  toIssues,
  validationFailed,
} from "../../shared/errors.ts";

describe("the table of codes", () => {
  it("has a status and a meaning for each, and no code besides", () => {
    for (const code of ErrorCodeSchema.options) {
      const { status, meaning } = ERROR_CODES[code];
      expect(meaning.length).toBeGreaterThan(10);
      expect(status === null || (status >= 400 && status < 600)).toBe(true);
    }
    expect(ErrorCodeSchema.safeParse("SOMETHING_ELSE").success).toBe(false);
  });
});

describe("toErrorDetail", () => {
  it("shows code, message and details of an error of ours", () => {
    const error = new AppError("CONFLICT", "The run still runs", { details: { status: "running" }, cause: new Error("inner") });
    expect(toErrorDetail(error)).toEqual({ code: "CONFLICT", message: "The run still runs", details: { status: "running" } });
    expect(ErrorBodySchema.safeParse({ error: toErrorDetail(error) }).success).toBe(true);
  });

  it.each([new Error("password=hunter2"), "password=hunter2", null, undefined, { code: "CONFLICT", message: "password=hunter2" }])(
    "shows nothing of what has no code: %s",
    (thrown) => {
      expect(toErrorDetail(thrown)).toEqual({ code: "INTERNAL", message: "Something went wrong on our side", details: null });
    },
  );

  it("lists the issues of a schema", () => {
    const { error } = z.strictObject({ a: z.number() }).safeParse({ a: "x", b: 1, c: 2 });
    expect(toErrorDetail(error)).toMatchObject({
      code: "VALIDATION_FAILED",
      details: { issues: [{ path: "a" }, { path: "b", message: "Unknown field" }, { path: "c" }] },
    });
  });
});

describe("validationFailed", () => {
  it("shows the first issue in its message, with its line, and how many more there are", () => {
    const error = validationFailed('Playbook "x"', [
      { path: "steps[0].params.url", message: "Required", line: 7 },
      { path: "", message: "Other" },
    ]);
    expect(error.message).toBe('Playbook "x" is not valid: steps[0].params.url: Required (line 7), and 1 more');
    expect(error.details).toMatchObject({ issues: [{ line: 7 }, { path: "" }] });
  });
});

describe("toIssues", () => {
  it("says of a union what each branch misses", () => {
    const { error } = z.object({ a: z.union([z.number(), z.array(z.number())]) }).safeParse({ a: "x" });
    const [issue] = toIssues(error as z.ZodError);
    expect(issue?.path).toBe("a");
    expect(issue?.message).toMatch(/number.*, or .*array/);
  });
});

it("formatPath writes paths as one would in code", () => {
  expect(formatPath(["steps", 2, "params", "url"])).toBe("steps[2].params.url");
  expect([formatPath([]), formatPath([0, "a"])]).toEqual(["", "[0].a"]);
});
