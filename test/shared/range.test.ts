import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ifRangeHolds, isNotModified, parseRange } from "../../shared/range.ts";

describe("parseRange", () => {
  it.each([
    ["bytes=0-9", 100, { start: 0, end: 9 }],
    ["bytes=90-", 100, { start: 90, end: 99 }],
    ["bytes=-10", 100, { start: 90, end: 99 }],
    ["bytes=-1000", 100, { start: 0, end: 99 }],
    ["bytes=50-5000", 100, { start: 50, end: 99 }],
    ["Bytes=50-99999999999999999999999", 100, { start: 50, end: 99 }],
    ["bytes=100-", 100, "unsatisfiable"],
    ["bytes=-0", 100, "unsatisfiable"],
    ["bytes=0-0", 0, "unsatisfiable"],
    ["bytes=9-5", 100, null],
    ["bytes=0-1,5-6", 100, null],
    ["items=0-1", 100, null],
    ["bytes=a-b", 100, null],
    [undefined, 100, null],
  ] as const)("reads %s of %d bytes as %o", (header, size, range) => {
    expect(parseRange(header, size)).toEqual(range);
  });

  it("never leaves the artifact, whatever the header", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
        ),
        fc.nat(1_000_000),
        (header, size) => {
          const range = parseRange(header, size);
          if (range !== null && range !== "unsatisfiable") {
            expect(range.start).toBeGreaterThanOrEqual(0);
            expect(range.end).toBeLessThan(size);
            expect(range.start).toBeLessThanOrEqual(range.end);
          }
        },
      ),
    );
  });
});

describe("conditions", () => {
  it("serve a range only for the very artifact, by strong tag", () => {
    expect(ifRangeHolds(undefined, '"a"')).toBe(true);
    expect(ifRangeHolds('"a"', '"a"')).toBe(true);
    expect(ifRangeHolds('W/"a"', '"a"')).toBe(false);
    expect(ifRangeHolds("Wed, 21 Oct 2015 07:28:00 GMT", '"a"')).toBe(false);
  });

  it("know an artifact by any tag of a list", () => {
    expect(isNotModified('"x", W/"a"', '"a"')).toBe(true);
    expect(isNotModified("*", '"a"')).toBe(true);
    expect(isNotModified('"x"', '"a"')).toBe(false);
    expect(isNotModified(undefined, '"a"')).toBe(false);
  });
});
