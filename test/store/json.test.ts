import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freeze, toJson } from "../../pool/store/json.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";

describe("JSON for Postgres", () => {
  it("replaces NUL and halves of surrogate pairs, which Postgres refuses", () => {
    expect(JSON.parse(toJson({ text: "a\0b", half: "\ud83d", other: "\udc00x" }))).toEqual({
      text: "a\ufffdb",
      half: "\ufffd",
      other: "\ufffdx",
    });
  });

  it("leaves a written-out escape alone, and whole pairs", () => {
    const value = { path: "C:\\u0000", more: "\\\\ud800", face: "😀", tab: "\u001f\t\n" };
    expect(JSON.parse(toJson(value))).toEqual(value);
  });

  it("cleans names too", () => {
    expect(JSON.parse(toJson({ "a\0": 1 }))).toEqual({ "a\ufffd": 1 });
  });

  it("changes nothing but those characters, whatever the value", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: ANY_CHARACTER }), (value) => {
        const clean = (text: string) => text.replaceAll("\0", "\ufffd").toWellFormed();
        const expected = JSON.parse(JSON.stringify(value), (_key, each) =>
          typeof each === "string"
            ? clean(each)
            : each !== null && typeof each === "object" && !Array.isArray(each)
              ? Object.fromEntries(Object.entries(each).map(([name, inner]) => [clean(name), inner]))
              : each,
        );
        expect(JSON.parse(toJson(value))).toEqual(expected);
      }),
    );
  });

  it("freezes a value as it will be read back, whatever becomes of the original", () => {
    const original = { text: "a\0", gone: undefined };
    const { value, json } = freeze(original);
    original.text = "changed";
    expect(value).toEqual({ text: "a\ufffd" });
    expect(JSON.parse(json)).toEqual(value);
  });
});
