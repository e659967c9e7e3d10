import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMask, REDACTED } from "../../pool/session/mask.ts";

const secret = fc
  .string({ unit: "binary", minLength: 6, maxLength: 40 })
  .filter((text) => text.trim().length >= 6 && !REDACTED.includes(text));

describe("createMask", () => {
  it("leaves text alone when there is nothing to hide", () => {
    expect(createMask([])("anything [redacted] & more")).toBe("anything [redacted] & more");
  });

  it("hides a value plain, URL-encoded, form-encoded, JSON-escaped and HTML-escaped", () => {
    fc.assert(
      fc.property(secret, fc.string({ maxLength: 20 }), (value, around) => {
        const mask = createMask([value]);
        const uri = encodeURIComponent(value.toWellFormed());
        for (const form of [
          value,
          uri,
          JSON.stringify(value).slice(1, -1),
          value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
        ]) {
          expect(mask(`${around}${form}${around}`)).toContain(REDACTED);
          expect(mask(`<${form}>`)).toBe(`<${REDACTED}>`);
        }
      }),
    );
  });

  it("hides a value inside base64, at each alignment", () => {
    const value = "correct horse battery";
    const mask = createMask([value]);
    for (const lead of ["", "a", "ab", "user:"]) {
      const masked = mask(Buffer.from(`${lead}${value}!`).toString("base64"));
      expect(masked).toContain(REDACTED);
      expect(Buffer.from(masked.replace(REDACTED, ""), "base64").toString()).not.toContain("horse");
    }
  });

  it("hides a short value only where it is a word of its own", () => {
    const mask = createMask(["abc"]);
    expect(mask("pin abc, not abcdef or xabc")).toBe(`pin ${REDACTED}, not abcdef or xabc`);
  });

  it("hides the longer of two values that overlap", () => {
    expect(createMask(["secret", "secret-more"])("it is secret-more")).toBe(`it is ${REDACTED}`);
  });
});
