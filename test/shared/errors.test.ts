import fc from "fast-check";
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
import { PlaybookSchema, StepSchema } from "../../shared/playbook.ts";
import { CreateRunSchema } from "../../shared/run.ts";
import { rounds } from "../support/rounds.ts";

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
    expect(issue?.message).toBe("Expected a number or a list, not a text");
  });

  it.each([
    [z.string(), undefined, "Required: a text"],
    [z.string().min(1), "", "Must not be empty"],
    [z.string().max(3), "abcd", "Expected at most 3 characters"],
    [z.int().min(1), 1.5, "Expected a whole number, not a fraction"],
    [z.int().max(200), 201, "Expected at most 200"],
    [z.number().gt(0), 0, "Expected more than 0"],
    [z.array(z.string()).max(1), ["a", "b"], "Expected at most 1 entry"],
    [z.enum(["up", "down"]), "away", "Expected one of up, down"],
    [z.boolean(), null, "Expected true or false, not null"],
    [z.url(), "x", "Expected a URL, as https://example.com"],
    [z.string().regex(/^x$/, "Expected an x"), "y", "Expected an x"],
  ])("says in plain words what is wrong: %#", (schema, value, message) => {
    const { error } = schema.safeParse(value);
    expect(toIssues(error as z.ZodError)).toEqual([{ path: "", message }]);
  });

  it("never speaks as the schema library does, whatever a run or a playbook is given", () => {
    const given = ({ shape }: { shape: object }) => fc.record(Object.fromEntries(Object.keys(shape).map((name) => [name, fc.jsonValue()])));
    fc.assert(
      fc.property(given(CreateRunSchema), given(StepSchema), (run, step) => {
        for (const parsed of [CreateRunSchema.safeParse(run), PlaybookSchema.safeParse({ id: "a", steps: [step] })])
          for (const { message } of toIssues(parsed.error ?? new z.ZodError([])))
            expect(message).not.toMatch(/^Invalid|Invalid input|Too (big|small)|received|Unrecognized|^Not valid$/);
      }),
      rounds(70),
    );
  });
});

it("formatPath writes paths as one would in code", () => {
  expect(formatPath(["steps", 2, "params", "url"])).toBe("steps[2].params.url");
  expect([formatPath([]), formatPath([0, "a"])]).toEqual(["", "[0].a"]);
});
