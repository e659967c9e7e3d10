import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maskedHtml } from "../../pool/recording/snapshot-html.ts";
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
          const masked = JSON.parse(maskedHtml(given, new Redactor([new SecretValue("s", secret)]).text)) as [
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
        expect(maskedHtml(JSON.stringify(html), (text) => text)).toBe(JSON.stringify(html));
      }),
    );
  });

  it.each(["", "null", "{}", '"text"', "[]", '["HTML"', '["HTML"]\n["HTML"]'])("are refused when they are %j", (html) => {
    expect(() => maskedHtml(html, (text) => text)).toThrow(SyntaxError);
  });
});
