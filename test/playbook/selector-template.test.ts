import fc from "fast-check";
import type { Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSelector } from "../../pool/actions/selector-syntax.ts";
import { xpathString } from "../../pool/playbook/selector-escape.ts";
import { fillSelector } from "../../pool/playbook/selector-template.ts";
import { openChrome } from "../support/chrome.ts";
import { rounds } from "../support/rounds.ts";

const filled = (template: string, x: string | number) => fillSelector(template, { x });

describe("a value in a selector", () => {
  it.each([
    ["a CSS string", "[title='{x}']", `a'b"c\\d`, `[title='a\\'b\\"c\\\\d']`],
    ["the other kind of string", '[title="a {x} b"]', "'", '[title="a \\\' b"]'],
    ["an identifier", "#{x}", "1 > a", "#\\31 \\20 \\>\\20 a"],
    ["part of an identifier", "#row-{x}-end", 5, "#row-\\35 -end"],
    ["a plain identifier", ".{x}", "order-status", ".order-status"],
    ["an unquoted attribute", "[data-id={x}]", "a]b", "[data-id=a\\5d b]"],
    ["nth-child", "tr:nth-child({x}) td", 3, "tr:nth-child(3) td"],
    ["nth-of-type within :is", ":is(tr:nth-of-type(2n + {x}), a)", "1", ":is(tr:nth-of-type(2n + 1), a)"],
    [":is", ":is({x})", "a,b", ":is(a\\,b)"],
    ["pierce", "pierce/#{x}", "a b", "pierce/#a\\20 b"],
    ["bare text", "text=Order {x}", `"5" [x] /a/`, `text=Order "5" [x] /a/`],
    ["quoted text", 'text="Order {x}"', `"5"`, 'text="Order \\"5\\""'],
    ["a role's name", "role=button[name='{x}' i]", "'] , a", "role=button[name='\\'] , a' i]"],
    ["a role's expression", "role=button[name=/^{x}$/]", "a.b/", "role=button[name=/^\\x61\\.b\\/$/]"],
    ["bare text that would be taken for a string", "text={x}", `"a b"`, `text=/"a\\s+b"/i`],
    ["bare text that would be taken for an expression", "text={x} c", "/a/", "text=/\\/a\\/\\s+c/i"],
    ["bare text that would be taken for a chain", "text={x}", "a >> nth=1", "text=/a\\s+>>\\s+nth=1/i"],
    ["a pseudo-class", "li:{x} a", "first-child", "li:first-child a"],
    ["a role", "role={x}", "button", "role=button"],
    ["a role's bare name", "role=button[name={x}]", "Save i", "role=button[name=Save\\ i]"],
    ["a level", "role=heading[level={x}]", 2, "role=heading[level=2]"],
    ["an accessible name", "aria/{x}", `a[role="b"]`, `aria/a\\[role\\=\\"b\\"\\]`],
    ["a quoted accessible name", `aria/[name="{x}"]`, `"]`, `aria/[name="\\"]"]`],
    ["has-text", `li:has-text("{x}") a`, `")`, `li:has-text("\\")") a`],
    ["bare has-text", "li:has-text({x})", "Tea", "li:has-text(Tea)"],
    ["literal text", "text/{x}", "a[b]'\"", "text/a[b]'\""],
    ["an XPath string", "xpath///a[.='{x}']", `a`, 'xpath///a[.="a"]'],
    ["an XPath string with one quote", "xpath///a[.='{x}']", `a"b`, `xpath///a[.='a"b']`],
    ["an XPath string with both quotes", "xpath///a[.='{x}']", `a"b'c`, `xpath///a[.=concat("a", '"', "b'c")]`],
    ["a number in XPath", "xpath///a[{x}]", 3, "xpath///a[3]"],
    ["a name in XPath", "xpath///{x}[1]", "tr", "xpath///tr[1]"],
  ])("is escaped for %s", (_where, template, value, expected) => {
    expect(filled(template, value)).toBe(expected);
  });

  it("leaves a selector without placeholders as its author wrote it", () => {
    for (const selector of ["xpath///a[.='b']", "a[b='{C}']", "text=a\\"]) expect(fillSelector(selector, { x: 1 })).toBe(selector);
  });

  it("must be there", () => {
    for (const template of ["text={x}", "#{x}", "a > .{x}", "xpath/{x}", "role=button[name={x}]"])
      expect(() => filled(template, "")).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED" }));
  });

  it.each([
    ["after a backslash", "#a\\{x}", "zz"],
    ["after a backslash in a string", "[a='\\{x}']", "zz"],
    ["after a backslash in an expression", "text=/a\\{x}/", "zz"],
    ["after half an escape", "#\\3{x}", "1"],
    ["as a word in nth-child", "tr:nth-child({x})", "1) , a"],
    ["as bare has-text", "li:has-text({x})", "a) , (b"],
    ["as more than a role", "role={x}", "button[disabled]"],
    ["as more than a level", "role=heading[level={x}]", "2][name='a'"],
    ["as XPath outside quotes", "xpath///a[{x}]", "1 or 1=1"],
    ["as the kind of selector", "{x}=b", "text"],
    ["as a kind with a slash", "{x}/b", "xpath"],
  ])("is refused %s", (_where, template, value) => {
    expect(() => filled(template, value)).toThrow(
      expect.objectContaining({ code: "VALIDATION_FAILED", message: expect.not.stringContaining(value) }),
    );
  });
});

describe("any value, to the parser of selectors,", () => {
  const value = fc
    .oneof(
      fc
        .array(
          fc.constantFrom(
            '"',
            "'",
            "\\",
            "]",
            "[",
            "(",
            ")",
            " ",
            "=",
            "/",
            "i",
            "a",
            "1",
            "name",
            "role",
            ",",
            ">",
            ":visible",
            "\u00a0",
            "\n",
            "|",
          ),
          { minLength: 1, maxLength: 6 },
        )
        .map((each) => each.join("")),
      fc.string({ minLength: 1, unit: "grapheme" }),
    )
    .filter((text) => text.trim() !== "" && !text.includes("\0"));
  const spaced = (text: string) => text.replace(/\s+/g, " ");
  const test = (template: string, expected: (text: string) => object) =>
    fc.assert(
      fc.property(value, (text) => {
        expect(parseSelector(filled(template, text))).toMatchObject(expected(text));
      }),
      rounds(100),
    );

  it("is itself in strings", () => {
    test('text="a {x} b"', (text) => ({ kind: "text", test: { kind: "exact", text: `a ${text} b` } }));
    test("role=button[name='{x}' i]", (text) => ({ role: "button", tests: { name: { text, ignoreCase: true, operator: "=" } } }));
    test('role=button[name*="{x}"][disabled]', (text) => ({ tests: { name: { text, operator: "*=" }, disabled: true } }));
    test('aria/[name="{x}"][role="button"]', (text) => ({ kind: "aria", name: text, role: "button" }));
    test('li:has-text("{x}") > a:visible', (text) => ({
      list: [{ combinators: [">"], compounds: [{ texts: [{ text }] }, { visible: true }] }],
    }));
  });

  it("is itself in bare words", () => {
    test("role=button[name={x}]", (text) => ({ tests: { name: { text: spaced(text).trimEnd(), ignoreCase: false } } }));
    test("aria/{x}", (text) => ({ kind: "aria", name: spaced(text).trim(), role: null }));
    test("text/{x}", (text) => ({ test: { kind: "partCased", text: text.trim() } }));
    test("text=a {x}", (text) => ({ test: { kind: "part", text: `a ${text}`.trim() } }));
  });

  it("is itself where bare text begins, if need be as an expression", () => {
    fc.assert(
      fc.property(value, (text) => {
        const parsed = parseSelector(filled("text={x}", text));
        if (parsed.kind !== "text") throw new Error("Another kind");
        if (parsed.test.kind === "regex") expect(spaced(text).trim()).toMatch(new RegExp(`^${parsed.test.source}$`, parsed.test.flags));
        else expect(parsed.test).toEqual({ kind: "part", text: text.trim() });
      }),
    );
  });

  it("is itself in expressions", () => {
    fc.assert(
      fc.property(value, (text) => {
        for (const template of ["text=/^a{x}b$/", "role=button[name=/^a{x}b$/i]"]) {
          const parsed = parseSelector(filled(template, text));
          const test = parsed.kind === "text" ? parsed.test : parsed.kind === "role" ? parsed.tests.name : null;
          if (!test || !("source" in test)) throw new Error("No expression");
          expect(`a${text}b`).toMatch(new RegExp(test.source, test.flags));
          expect(`a${text}bb`).not.toMatch(new RegExp(test.source, test.flags));
        }
      }),
    );
  });

  it("changes no structure, in whatever an author may write", () => {
    const part = fc.constantFrom(
      "{x}",
      "a",
      "#",
      ".",
      "[",
      "]",
      "=",
      '"',
      "'",
      "(",
      ")",
      ":is(",
      ":has-text(",
      ":visible",
      ":nth-child(",
      " ",
      ">",
      ",",
      "\\",
      "/",
      "text=",
      "role=",
      "aria/",
      "xpath/",
      "//",
      "name",
      "|",
      "1",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), value, (parts, text) => {
        const template = parts.join("");
        try {
          const [mine, plain] = [parseSelector(filled(template, text)), parseSelector(filled(template, "x"))];
          expect(mine.kind).toBe(plain.kind);
        } catch (error) {
          expect(error).toMatchObject({ code: "VALIDATION_FAILED" });
        }
      }),
      rounds(800),
    );
  });
});

describe("any value, in a real browser", () => {
  let chrome: Awaited<ReturnType<typeof openChrome>>;
  let page: Page;
  beforeAll(async () => {
    chrome = await openChrome();
    page = await chrome.browser.newPage();
  });
  afterAll(() => chrome?.[Symbol.asyncDispose]());

  const nasty = fc.constantFrom(
    '"',
    "'",
    "\\",
    "]",
    "[",
    ")",
    "(",
    " ",
    ",",
    ">",
    "#",
    ".",
    ":",
    "*",
    "=",
    "/",
    "{x}",
    "\n",
    "\t",
    "-",
    "--",
    "0",
    "9",
    "a",
    "f",
    "A",
    "é",
    "漢",
    "😀",
    "\u00a0",
    "\u007f",
    "|",
    "~",
    "^",
    "$",
    "<",
    "&",
    "i",
    "/*",
    "*/",
    "::",
    "url(",
  );
  const samples = fc
    .sample(
      fc.oneof(
        fc.array(nasty, { minLength: 1, maxLength: 6 }).map((each) => each.join("")),
        fc.string({ minLength: 1, unit: "grapheme" }),
      ),
      400,
    )
    .concat(["-", "--", "-1", "1", "\\", "\\\\", "\\'", "a\\", "']", "*/", "/*", "\u0001", "\ufffd", " "])
    .filter((value) => value.isWellFormed() && !value.includes("\0"));

  /** For each value an element that has it, and a decoy; answers the values for which the selector did not find that one element. */
  const misses = (template: string, place: "attribute" | "id" | "class" | "text") =>
    page.evaluate(
      (cases, place) => {
        const missed: string[] = [];
        for (const { value, selector } of cases) {
          const [target, decoy] = [document.createElement("b"), document.createElement("b")];
          if (place === "attribute") target.setAttribute("data-v", value);
          else if (place === "text") target.textContent = value;
          else target.setAttribute(place, value);
          decoy.setAttribute("data-v", "decoy");
          document.body.replaceChildren(decoy, target);
          let found: Node[];
          try {
            if (selector.startsWith("xpath/")) {
              const result = document.evaluate(selector.slice(6), document, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE);
              found = Array.from({ length: result.snapshotLength }, (_, i) => result.snapshotItem(i) as Node);
            } else found = [...document.querySelectorAll(selector)];
          } catch (error) {
            missed.push(`${value} in ${selector}: ${error}`);
            continue;
          }
          if (found.length !== 1 || found[0] !== target) missed.push(`${value} in ${selector} found ${found.length}`);
        }
        return missed;
      },
      samples.map((value) => ({ value, selector: filled(template, value) })),
      place,
    );

  it.each([
    ["a double-quoted string", '[data-v="{x}"]'],
    ["a single-quoted string", "[data-v='{x}']"],
    ["an identifier as a value", "[data-v={x}]"],
    ["a string among others", "b[data-v='{x}']:not([data-v='decoy']):not(#{x}-)"],
    ["an XPath string", 'xpath///b[@data-v="{x}"]'],
    ["another XPath string", "xpath///b[@data-v='{x}' and not(@data-v='{x} ')]"],
  ])("stands in %s and means itself", async (_where, template) => {
    expect(await misses(template, "attribute")).toEqual([]);
  });

  it("is an id", async () => {
    expect(await misses("#{x}", "id")).toEqual([]);
    expect(await misses("b#{x}:not(.{x})", "id")).toEqual([]);
  });

  it("is the same text in XPath", async () => {
    const texts = await page.evaluate(
      (expressions) => expressions.map((each) => document.evaluate(each, document, null, XPathResult.STRING_TYPE).stringValue),
      samples.map(xpathString),
    );
    expect(texts).toEqual(samples);
  });
});
