import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bodyOf, checkScript } from "../../pool/actions/script-syntax.ts";

describe("a script", () => {
  it.each([
    ...[
      "1",
      "({a: 1})",
      "{a: 1, b: 2}",
      "() => 1",
      "async (p) => { await 1; }",
      "const a = 1; return a",
      "return",
      "await fetch('/x')",
      "if (a) return 1;",
      "a // b",
    ],
    ...[
      "function () { return 1 }",
      `\`\${params.x}\``,
      "/[/]/.test('a')",
      "for await (const a of b) c(a);",
      "with (document) title",
      "",
      "<!-- a\n1",
      "// only a comment\n{a: 1}",
    ],
  ])("is let pass: %s", (script) => {
    expect(() => checkScript(script)).not.toThrow();
  });

  it.each([
    ["document.querySelector('a'", "it ends in the middle"],
    ["return (", "it ends in the middle"],
    ["document.title +", "it ends in the middle"],
    ["if (a) {\n  b();", "it ends in the middle"],
    ["({a: 1, b: [", "it ends in the middle"],
    ["() => { return 1", "it ends in the middle"],
    ["const a = 1;\nreturn a);", "Unexpected token ')' (line 2 of the script)"],
    ["a = ;", "Unexpected token ';' (line 1 of the script)"],
    ["}", "a bracket too many"],
    ["'a", "Invalid or unexpected token (line 1 of the script)"],
    ["return “a”", "Invalid or unexpected token"],
    ["`a", "it ends in the middle"],
    ["/a", "missing /"],
  ])("is refused when it is none in any language to come: %s", (script, why) => {
    expect(() => checkScript(script)).toThrow(why);
  });

  it.each(["a |> b", "@a class B {}", "#{a: 1}", "{a: #{}, }", "foo bar", "using of x", "match (a) { b }"])(
    "is left to Chrome, which may be newer: %s",
    (script) => {
      expect(() => checkScript(script)).not.toThrow();
    },
  );

  it("is never refused when it parses, and nothing else is thrown", () => {
    const parts = fc.constantFrom(
      "a",
      "(",
      ")",
      "{",
      "}",
      "[",
      "]",
      ";",
      ",",
      ":",
      "=>",
      "return ",
      "await ",
      "'",
      "`",
      "/",
      "//",
      "\n",
      "1",
      "+",
      "const ",
      "=",
      "async ",
      "function ",
      "@",
      "#",
      "<!--",
      "\u2028",
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 8 }), (each) => {
        const script = each.join("");
        const parses = [script, bodyOf(script)].some((body) => {
          try {
            new Function("params", `return async function (params) { ${body}\n}`);
            return true;
          } catch {
            return false;
          }
        });
        try {
          checkScript(script);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect(parses).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });
});
