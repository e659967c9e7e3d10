import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutTemplate, fill, mapStrings, placeholders } from "../../pool/playbook/template.ts";

describe("filling a template", () => {
  it("replaces what has a value, as often as it stands there", () => {
    expect(fill("{a}-{b}-{a}", { a: 1, b: "x" })).toBe("1-x-1");
  });

  it.each(["{A}", "{ a}", "{a }", "{}", "{1a}", "{a-b}", "{{", "}", "{", "{a.B}", "{é}", "{a\n}"])("takes %j for literal text", (text) => {
    expect(placeholders(text)).toEqual([]);
    expect(fill(text, { a: 1, A: 2 })).toBe(text);
  });

  it("finds a placeholder between other braces", () => {
    expect(placeholders("{{a}} #{b_1.c} {a}")).toEqual(["a", "b_1.c"]);
    expect(fill("{{a}}", { a: "x" })).toBe("{x}");
  });

  it("never expands what a value contains", () => {
    expect(fill("{a}{b}", { a: "{b}", b: "{a}" })).toBe("{b}{a}");
    expect(fill("{a}", { a: "$& $1 $` $$" })).toBe("$& $1 $` $$");
  });

  it("knows no names that nobody gave", () => {
    expect(fill("{constructor} {to_string} {__proto__}", {})).toBe("{constructor} {to_string} {__proto__}");
  });

  it("puts each value in place of its own placeholder, whatever the values are", () => {
    const name = fc.stringMatching(/^[a-z_][a-z0-9_.]{0,5}$/);
    const literal = fc.string().filter((text) => !/[{}]/.test(text));
    const value = fc.oneof(
      fc.string(),
      name.map((each) => `{${each}}`),
      fc.integer(),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(literal, name), { maxLength: 6 }), fc.infiniteStream(value), (parts, stream) => {
        const values = Object.fromEntries(parts.map(([, each]) => [each, stream.next().value]));
        const template = parts.map(([text, each]) => `${text}{${each}}`).join("");
        expect(fill(template, values)).toBe(parts.map(([text, each]) => `${text}${values[each]}`).join(""));
      }),
    );
  });

  it("cuts any text so that its pieces make the text again", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom("{a}", "{", "}", "{b.c}", "{A}"), fc.string({ maxLength: 4 }))), (words) => {
        const text = words.join("");
        expect(
          cutTemplate(text)
            .map((piece) => ("literal" in piece ? piece.literal : `{${piece.name}}`))
            .join(""),
        ).toBe(text);
      }),
    );
  });
});

it("changes strings at any depth and no names of fields", () => {
  const changed = mapStrings({ "{a}": ["x", { y: "z" }], n: 1, no: null }, (text, path) => `${path.join("/")}=${text}`);
  expect(changed).toEqual({ "{a}": ["{a}/0=x", { y: "{a}/1/y=z" }], n: 1, no: null });
});
