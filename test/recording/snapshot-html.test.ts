import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maskedHtml, type ShownTexts } from "../../pool/recording/snapshot-html.ts";
import { Redactor } from "../../pool/secrets/redactor.ts";
import { SecretValue } from "../../shared/secret-value.ts";

const node = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.tuple(fc.constantFrom("P", "DIV"), fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }), tie("node")),
    fc.tuple(fc.tuple(fc.nat(9), fc.nat(99))),
  ),
})).node;
const document = fc.tuple(fc.constant("HTML"), fc.constant({}), node, node);

describe("a snapshot's nodes", () => {
  it("stay one line of JSON of the same shape, without the secret, whatever the secret looks like", () => {
    fc.assert(
      fc.property(
        document,
        fc.constantFrom('"," ,"', "]]]]", '{"a"', "\\u0041", "HTML!", "hunter22", '"],["', "\n\n\n\n"),
        (html, secret) => {
          const given = JSON.stringify(["BODY", { title: `x${secret}y` }, html, secret]);
          const masked = JSON.parse(maskedHtml(given, new Redactor([new SecretValue("s", secret)]).text).html) as [
            string,
            { title: string },
            unknown,
            string,
          ];
          expect([masked[0], masked[1].title, masked[3]]).toEqual(["BODY", "x[secret:s]y", "[secret:s]"]);
          expect(Array.isArray(masked[2])).toBe(true);
        },
      ),
    );
  });

  it("are taken as they are where there is nothing to mask", () => {
    fc.assert(
      fc.property(document, (html) => {
        expect(maskedHtml(JSON.stringify(html), (text) => text).html).toBe(JSON.stringify(html));
      }),
    );
  });

  it.each(["", "null", "{}", '"text"', "[]", '["HTML"', '["HTML"]\n["HTML"]'])("are refused when they are %j", (html) => {
    expect(() => maskedHtml(html, (text) => text)).toThrow(SyntaxError);
  });

  describe("in which a page has split a secret", () => {
    const mask = new Redactor([new SecretValue("s", "hunter2secret99")]).text;
    const of = (...body: unknown[]) => JSON.stringify(["BODY", {}, ...body]);

    it.each([
      ["text nodes", ["P", {}, "it is hunter2", "secret99 !"]],
      ["elements", ["P", {}, ["B", {}, "hunter2"], ["I", {}, "secret99"]]],
      ["elements with a style between them", ["P", {}, ["B", "hunter2"], ["STYLE", {}, "p { color: red }"], ["I", {}, "secret99"]]],
    ])("show none of it: %s", (_, paragraph) => {
      const given = of(paragraph).replace('["B","hunter2"]', '["B",{},"hunter2"]');
      const { html, isUnmasked } = maskedHtml(given, mask);
      expect([html.includes("hunter2"), html.includes("secret99"), isUnmasked]).toEqual([false, false, false]);
      expect(html).toContain("[secret:s]");
    });

    it("show no more of it than was there alone, where a part is only referred to", () => {
      const shown: ShownTexts = [];
      const first = maskedHtml(of(["P", {}, ["B", {}, "x".repeat(1_000), "hunter2"]]), mask, shown);
      expect(first).toEqual({ html: of(["P", {}, ["B", {}, "x".repeat(1_000), "hunter2"]]), isUnmasked: false });
      const second = maskedHtml(of(["P", {}, [[1, 2]], ["I", {}, "secret99"]]), mask, shown); // 0 and 1 are the texts, 2 is the B
      expect(second).toEqual({ html: of(["P", {}, [[1, 2]], ["I", {}, "[secret:s]"]]), isUnmasked: false });
    });

    it("are not to be written where every part is only referred to", () => {
      const shown: ShownTexts = [];
      maskedHtml(of(["I", {}, "secret99"], "between", ["B", {}, "hunter2"]), mask, shown);
      expect(maskedHtml(of(["P", {}, [[1, 4]], [[1, 1]]]), mask, shown).isUnmasked).toBe(true);
    });
  });
});
