/** From a query to the elements that match it, in every open shadow root too. Runs in the page. */
import type { Query, RoleTests } from "../selector-syntax.ts";
import type { Dom } from "./dom.ts";
import type { Names } from "./names.ts";
import type { Roles } from "./roles.ts";
import type { Texts } from "./texts.ts";

export function createFind(dom: Dom, roles: Roles, names: Names, texts: Texts) {
  const { queryAll, parentElement, normal } = dom;
  type Compound = Extract<Query, { kind: "css" }>["list"][number]["compounds"][number];
  type Complex = Extract<Query, { kind: "css" }>["list"][number];
  type NameTest = NonNullable<RoleTests["name"]>;

  function byRole({ role, tests, includeHidden }: Extract<Query, { kind: "role" }>): Element[] {
    const { name, description, ...flags } = tests;
    return everywhere(roles.candidates(role)).filter((element) => {
      if (roles.roleOf(element) !== role) return false;
      for (const [key, wanted] of Object.entries(flags))
        if (roles.states[key as keyof typeof flags](element, role) !== wanted) return false;
      if (!includeHidden && roles.isHiddenForAria(element)) return false;
      return (
        (!name || nameMatches(name, names.nameOf(element, includeHidden))) &&
        (!description || nameMatches(description, names.descriptionOf(element)))
      );
    });
  }

  function nameMatches(test: NameTest, name: string): boolean {
    if ("source" in test) return new RegExp(test.source, test.flags).test(name);
    const has = test.ignoreCase ? name.toLowerCase() : name;
    const wanted = test.ignoreCase ? normal(test.text).toLowerCase() : normal(test.text);
    switch (test.operator) {
      case "=":
        return has === wanted;
      case "*=":
        return has.includes(wanted);
      case "^=":
        return has.startsWith(wanted);
      case "$=":
        return has.endsWith(wanted);
      case "~=":
        return has.split(" ").includes(wanted);
      default:
        return has === wanted || has.startsWith(`${wanted}-`);
    }
  }

  function byCss({ css, plain, list }: Extract<Query, { kind: "css" }>): Element[] {
    const trees = dom.trees();
    if (plain && trees.length === 1) return [...queryAll(document, css)]; // union in document order
    const found = new Set<Element>();
    const candidates = list.map(({ compounds }) => (compounds.at(-1) as Compound).css || "*").join(", ");
    for (const tree of trees) {
      for (const element of queryAll(tree, candidates))
        if (list.some((complex) => matchesUpTo(element, complex, complex.compounds.length - 1))) found.add(element);
    }
    return [...found];
  }

  /** Does the element match compound `i`, and what stands before it the ones before? Parents are followed out of shadow roots. */
  function matchesUpTo(element: Element, complex: Complex, i: number): boolean {
    if (!matchesCompound(element, complex.compounds[i] as Compound)) return false;
    if (i === 0) return true;
    const before = complex.combinators[i - 1];
    if (before === ">" || before === "+") {
      const next = before === ">" ? parentElement(element) : dom.previousElement(element);
      return next !== null && matchesUpTo(next, complex, i - 1);
    }
    const step = before === "~" ? (each: Element) => dom.previousElement(each) : parentElement;
    for (let each = step(element); each; each = step(each)) if (matchesUpTo(each, complex, i - 1)) return true;
    return false;
  }

  function matchesCompound(element: Element, { css, texts: tests, visible }: Compound): boolean {
    if (css !== "" && !dom.matches(element, css)) return false;
    if (visible && !dom.isVisible(element)) return false;
    return tests.every(({ kind, text }) => texts.matchesPseudo(element, kind, text));
  }

  function byXPath(xpath: string): Element[] {
    const result = dom.xpath(document, xpath, document, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE);
    const found = new Set<Element>();
    for (let i = 0; i < result.snapshotLength; i += 1) {
      const node = result.snapshotItem(i);
      const element = dom.isElement(node) ? node : node instanceof Attr ? node.ownerElement : node && dom.parentNode(node);
      if (dom.isElement(element)) found.add(element);
    }
    return [...found];
  }

  const everywhere = (css: string): Element[] => dom.trees().flatMap((tree) => [...queryAll(tree, css)]);

  /** Every match, Playwright's order: a tree's own elements, then those of its shadow roots. @throws DOMException for what the browser calls invalid */
  function find(query: Query): Element[] {
    texts.forget();
    switch (query.kind) {
      case "css":
        return byCss(query);
      case "text":
        return texts.byText(query.test);
      case "role":
        return byRole(query);
      case "xpath":
        return byXPath(query.xpath);
      case "aria":
        return []; // Chrome's accessibility tree knows; its answer is offered to the look
    }
  }

  return { find };
}

export type Find = ReturnType<typeof createFind>;
