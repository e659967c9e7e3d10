import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSelector } from "../../pool/actions/selector-syntax.ts";
import { fillSelector } from "../../pool/playbook/selector-template.ts";
import { AppError } from "../../shared/errors.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";
import { rounds } from "../support/rounds.ts";

const parsed = (source: string) => {
  const { source: _, ...query } = parseSelector(source);
  return query;
};

describe("selectors", () => {
  it.each([
    ["text=Cancel Order", { kind: "text", test: { kind: "part", text: "Cancel Order" } }],
    ['text="Cancel \\"it\\""', { kind: "text", test: { kind: "exact", text: 'Cancel "it"' } }],
    ["text='Cancel'", { kind: "text", test: { kind: "exact", text: "Cancel" } }],
    ["text=/^order \\/ \\d+/i", { kind: "text", test: { kind: "regex", source: "^order \\/ \\d+", flags: "i" } }],
    ["text=/not closed", { kind: "text", test: { kind: "part", text: "/not closed" } }],
    ["text=/a/b/", { kind: "text", test: { kind: "part", text: "/a/b/" } }],
    ["text=Next >> last", { kind: "text", test: { kind: "part", text: "Next >> last" } }],
    ['text="Next >> nth=1"', { kind: "text", test: { kind: "exact", text: "Next >> nth=1" } }],
    ["text=A, B", { kind: "text", test: { kind: "part", text: "A, B" } }],
    ["text/Cancel", { kind: "text", test: { kind: "partCased", text: "Cancel" } }],
    ["role=button", { kind: "role", role: "button", tests: {}, includeHidden: false }],
    [
      "role=button[name='Submit' i]",
      { kind: "role", role: "button", tests: { name: { operator: "=", text: "Submit", ignoreCase: true } }, includeHidden: false },
    ],
    [
      'role=button[name="It\'s \\"done\\" ] \\\\"]',
      {
        kind: "role",
        role: "button",
        tests: { name: { operator: "=", text: 'It\'s "done" ] \\', ignoreCase: false } },
        includeHidden: false,
      },
    ],
    [
      "role=link[name=/[0-9]{3}['\"]?/]",
      { kind: "role", role: "link", tests: { name: { source: "[0-9]{3}['\"]?", flags: "" } }, includeHidden: false },
    ],
    [
      "role=heading[level=2][name*=Order]",
      {
        kind: "role",
        role: "heading",
        tests: { level: 2, name: { operator: "*=", text: "Order", ignoreCase: false } },
        includeHidden: false,
      },
    ],
    [
      "role=checkbox[checked][disabled=false][include-hidden]",
      { kind: "role", role: "checkbox", tests: { checked: true, disabled: false }, includeHidden: true },
    ],
    ["aria/Save changes", { kind: "aria", name: "Save changes", role: null }],
    ['aria/Save[role="button"]', { kind: "aria", name: "Save", role: "button" }],
    ['aria/[name="Save"][role="button"]', { kind: "aria", name: "Save", role: "button" }],
    ['aria/Logo[role="image"]', { kind: "aria", name: "Logo", role: "image" }],
    ['aria/[role="LabelText"]', { kind: "aria", name: null, role: "LabelText" }],
    ["xpath///div[@id='a b']", { kind: "xpath", xpath: "//div[@id='a b']" }],
    ["//tr[td]/button", { kind: "xpath", xpath: "//tr[td]/button" }],
  ])("%s is understood", (source, query) => {
    expect(parsed(source)).toEqual(query);
  });

  it.each([
    "#id",
    "a.b > c ~ d + e",
    "input[value='a, b > c']",
    "li:nth-child(2n + 1)",
    "a:is(.b, .c):not(:hover)",
    "#a\\:b",
    ".caf\u00e9",
    "|a, *|*",
    "div::before",
    "[data-x='\\'']",
    "pierce/#deep",
    "css=#a",
  ])("%s is left to the browser as it is", (source) => {
    const css = source.replace(/^(pierce\/|css=)/, "");
    expect(parsed(source)).toMatchObject({ kind: "css", css, plain: true });
  });

  it("cuts Playwright's own pseudo-classes out of CSS", () => {
    expect(parsed('tr:has-text(\'Order "7"\') > td button:visible, a:text-is("x")')).toMatchObject({
      plain: false,
      list: [
        {
          compounds: [
            { css: "tr", texts: [{ kind: "has", text: 'Order "7"' }], visible: false },
            { css: "td", texts: [], visible: false },
            { css: "button", texts: [], visible: true },
          ],
          combinators: [">", " "],
        },
        { compounds: [{ css: "a", texts: [{ kind: "exact", text: "x" }] }], combinators: [] },
      ],
    });
  });

  it.each([
    ["", "it is empty"],
    ["   ", "it is empty"],
    ["text=", 'nothing stands after "text="'],
    ["text=/(/", "Invalid regular expression"],
    ["role=", 'nothing stands after "role="'],
    ["role=button[name='Submit' I don't know]", "not closed"],
    ["role=button[label='x']", '"label" is no attribute of role='],
    ["role=button[name]", "name needs a value"],
    ["role=heading[level=two]", "level needs a whole number"],
    ["role=button[disabled=maybe]", "disabled is true or false"],
    ["role=button Submit", "neither the role nor an attribute"],
    ["role=button[name=/a/x i]", "must stand in quotes"],
    ["role=buton", "did you mean role=button?"],
    ["role=Headign[level=1]", "did you mean role=heading?"],
    ["role=h2", "did you mean role=heading?"],
    ["role=image[name='Logo']", "did you mean role=img?"],
    ["role=doc-toc", 'is found by [role="doc-toc"]'],
    ["role=toString", '"toString" is no role that role= finds; an element with just that attribute is found by [role="toString"]'],
    ["div > > p", '">" and ">" stand together'],
    ["a >> b", '">>" is not supported here'],
    ["html/body/div[1]", "write xpath//html/body/div[1]"],
    ["getByRole('button')", "write role=button[name='Save']"],
    ["role=password", "did you mean input[type=password]?"],
    ["role=lis", "an element with just that attribute"],
    [`role=${"x".repeat(1_900)}`, '"xxxx'],
    ["aria/Save[role='buton']", 'did you mean [role="button"]?'],
    ["aria/[level='1']", '"level" is no attribute of aria/'],
    ["aria/[role='']", "it needs a name or a role"],
    ["xpath///div[", "it ends where a name must follow"],
    ["xpath///div[a", '"]" is missing'],
    ["xpath///div[@id='a]", "a string is not closed"],
    ["xpath//html/", "it ends where a name must follow"],
    ["xpath/1+", "it ends where a name must follow"],
    ["xpath///a[foo()]", "XPath 1.0 has no function foo()"],
    ["xpath///a[contains(.)]", "contains() takes 2 arguments, not 1"],
    ["xpath///a[not()]", "not() takes 1 argument, not 0"],
    ["xpath/count(//a)", "it gives a value, and no elements"],
    ["text=/[/", "Unterminated character class"],
    ["text=Save >> nth=0", "selectors are not chained"],
    ["id=b", "write #b"],
    ["id=1b", 'write [id="1b"]'],
    ["data-testid=x", '[data-testid="x"]'],
    ["css=foo='bar'", '[foo="bar"]'],
    ["nth=1", "xpath/(//a)[2]"],
    ["visible=true", ":visible"],
    ["internal:role=button", "write role=button"],
    ["_react=x", "components cannot be asked"],
    ["/html/body", "write xpath//html/body"],
    ["#1abc", 'write [id="1abc"]'],
    [".1a", 'write [class~="1a"]'],
    ["..a", '"." has no name'],
    ["a b=c", "an attribute stands in brackets"],
    ["[a=]", 'no value after "="'],
    ["[a=1]", "must stand in quotes"],
    ["html|a", 'the namespace "html" is not declared'],
    ["a||b", "no combinator"],
    ["a:foo", '":foo" is no pseudo-class'],
    ["a::foo", '"::foo" is no pseudo-element'],
    ["li:nth-child(foo)", "expected a number"],
    ["a:not()", "needs an argument"],
    ["a!b", '"!b" is out of place'],
    ["div[", '"[" is not closed'],
    ["div[a='b]", "a string is not closed"],
    ["div >", 'nothing stands after ">"'],
    ["> div", 'it begins with ">"'],
    ["a,,b", "a part of it is empty"],
    ["a,", "a part of it is empty"],
    ["a + ~ b", "stand together"],
    ["a >> b", '">>" is not supported'],
    ["button:contains('x')", '":contains" is not CSS'],
    ["a:not(:has-text('x'))", ":has-text cannot stand inside another pseudo-class"],
    ["a:has-text()", ":has-text() needs a text"],
    ['"quoted"', "a quote stands outside brackets"],
    ["a)", '")" is out of place'],
    ["a\\", "it ends with a backslash"],
  ])("%s is refused, with the reason", (source, reason) => {
    expect(() => parseSelector(source)).toThrow(AppError);
    expect(() => parseSelector(source)).toThrow(reason);
  });

  it("throws nothing but VALIDATION_FAILED, whatever it is given", () => {
    const engine = fc.constantFrom("", "text=", "role=", "role=button[name=", "aria/", "xpath/", "pierce/", "text/");
    const noise = fc.string({ unit: fc.constantFrom(..."ab '\"\\[](){}/=:>+~,*^$|i1\n\u00a0é😀") });
    fc.assert(
      fc.property(engine, fc.oneof(noise, fc.string({ unit: "grapheme" })), (start, rest) => {
        try {
          return parseSelector(start + rest).source === start + rest;
        } catch (error) {
          return error instanceof AppError && error.code === "VALIDATION_FAILED";
        }
      }),
      rounds(1_500),
    );
  });

  it("reads back any value that a placeholder put between quotes", () => {
    const value = fc.string({ unit: ANY_CHARACTER, minLength: 1 }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(value, fc.constantFrom("'", '"'), (text, quote) => {
        const name = parsed(fillSelector(`role=button[name=${quote}{x}${quote}]`, { x: text }));
        expect(name).toMatchObject({ tests: { name: { text } } });
        expect(parsed(fillSelector(`text=${quote}{x}${quote}`, { x: text }))).toMatchObject({ test: { kind: "exact", text } });
      }),
      rounds(100),
    );
  });
});
