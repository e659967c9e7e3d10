/** Elements by their text, as Playwright reads it: spaces normalised, the smallest element that has it. Runs in the page. */
import type { TextTest } from "../selector-syntax.ts";
import type { Dom } from "./dom.ts";
import type { Roles } from "./roles.ts";

export function createTexts(dom: Dom, roles: Roles) {
  const { queryAll, normal, tagName } = dom;
  /** Below it texts are read in one piece: the stack has an end. */
  const MAX_DEPTH = 1_000;
  /** Elements whose text is not what the browser says it is: scripts have none, buttons made of inputs have their value, hosts their shadow root's. */
  const ODD = "script, style, noscript, head, input";

  type Known = { texts: Map<Node, string>; odd: Set<Node> | null; trees: (Document | ShadowRoot)[] };
  let known: Known = { texts: new Map(), odd: null, trees: [] };

  /** What was read is good for one look. */
  function forget(): void {
    known = { texts: new Map(), odd: null, trees: [] };
  }

  /** Nodes that are odd, or have something odd in them. */
  function oddOnes(): Set<Node> {
    if (known.odd) return known.odd;
    const odd = new Set<Node>();
    known.odd = odd;
    known.trees = dom.trees();
    for (const tree of known.trees) {
      if (tree instanceof ShadowRoot)
        for (let each: Node | null = tree.host; each && !odd.has(each); each = dom.parentNode(each)) odd.add(each);
      for (const element of queryAll(tree, ODD))
        for (let each: Node | null = element; each && !odd.has(each); each = dom.parentNode(each)) odd.add(each);
    }
    return odd;
  }

  const isSilent = (element: Element): boolean =>
    /^(SCRIPT|NOSCRIPT|STYLE|HEAD)$/.test(tagName(element)) || dom.closest(element, "head") !== null;

  /** All the text inside, as written. */
  function fullText(node: Node, depth = 0): string {
    if (!oddOnes().has(node) || depth > MAX_DEPTH) return dom.textContent(node) ?? "";
    let text = known.texts.get(node);
    if (text !== undefined) return text;
    text = "";
    if (dom.isElement(node)) {
      if (isSilent(node)) text = "";
      else if (roles.isInput(node, /^(submit|button|reset)$/)) text = (node as HTMLInputElement).value;
      else text = childText(node, depth);
      const shadow = dom.shadowRoot(node);
      if (shadow) text += fullText(shadow, depth + 1);
    } else text = childText(node, depth);
    known.texts.set(node, text);
    return text;
  }

  function childText(node: Node, depth: number): string {
    let text = "";
    for (const child of dom.childNodes(node)) {
      if (child.nodeType === 3) text += child.nodeValue ?? "";
      else if (dom.isElement(child)) text += fullText(child, depth + 1);
    }
    return text;
  }

  /** Each run of text between two child elements. */
  function ownTexts(element: Element): string[] {
    if (isSilent(element)) return [];
    if (roles.isInput(element, /^(submit|button|reset)$/)) return [(element as HTMLInputElement).value];
    const runs = [""];
    for (const child of dom.childNodes(element)) {
      if (child.nodeType === 3) runs[runs.length - 1] += child.nodeValue ?? "";
      else if (child.nodeType === 1) runs.push("");
    }
    return runs.filter(Boolean);
  }

  type Match = (text: string) => boolean;
  function matcher(test: TextTest): Match {
    if (test.kind === "regex") {
      const regex = new RegExp(test.source, test.flags);
      return (text) => regex.test(text);
    }
    const wanted = normal(test.text);
    if (test.kind === "exact") return (text) => normal(text) === wanted;
    if (test.kind === "partCased") return (text) => normal(text).includes(wanted);
    const lower = wanted.toLowerCase();
    return (text) => normal(text).toLowerCase().includes(lower);
  }

  const has = (node: Node, match: Match): boolean => match(fullText(node));

  /** Has it, and no child element has it. */
  function isSmallest(element: Element, match: Match): boolean {
    if (isSilent(element) || !has(element, match)) return false;
    for (const child of dom.children(element)) if (has(child, match)) return false;
    const shadow = dom.shadowRoot(element);
    return !(shadow && has(shadow, match));
  }

  /** Every match, in document order: a tree's own elements, then those of its shadow roots. */
  function byText(test: TextTest): Element[] {
    const match = matcher(test);
    oddOnes();
    const all = () => known.trees.flatMap((tree) => [...queryAll(tree, "*")]);
    if (test.kind === "regex") return all().filter((element) => isSmallest(element, match)); // anchored at both ends, a part says nothing of the whole
    const found = test.kind === "exact" ? withOwnText(normal(test.text), match) : smallest(match);
    return known.trees.length === 1 && test.kind !== "exact" ? [...found] : all().filter((element) => found.has(element));
  }

  /** From the top down: what has not got the text has nothing in it that has. */
  function smallest(match: Match): Set<Element> {
    const found = new Set<Element>();
    const descend = (node: Node): boolean => {
      if ((dom.isElement(node) && isSilent(node)) || !has(node, match)) return false;
      let inside = false;
      const inner: Node[] = dom.isElement(node) ? [...dom.children(node)] : [...dom.childNodes(node)].filter(dom.isElement);
      const shadow = dom.isElement(node) ? dom.shadowRoot(node) : null;
      if (shadow) inner.push(shadow);
      for (const each of inner) if (descend(each)) inside = true;
      if (!inside && dom.isElement(node)) found.add(node);
      return true;
    };
    const root = dom.documentElement(document);
    if (root) descend(root);
    return found;
  }

  function withOwnText(wanted: string, match: Match): Set<Element> {
    const found = new Set<Element>();
    const add = (element: Node | null) => {
      if (dom.isElement(element) && ownTexts(element).some(match)) found.add(element);
    };
    for (const tree of known.trees) {
      const walker = dom.walker(document, tree, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const piece = normal(walker.currentNode.nodeValue ?? "");
        if (piece !== "" && wanted.includes(piece)) add(dom.parentNode(walker.currentNode));
      }
      for (const input of queryAll(tree, "input")) add(input);
    }
    return found;
  }

  /** `:has-text()`, `:text()`, `:text-is()`. */
  function matchesPseudo(element: Element, kind: "has" | "smallest" | "exact", text: string): boolean {
    const match = matcher({ kind: kind === "exact" ? "exact" : "part", text });
    if (kind === "has") return !isSilent(element) && has(element, match);
    return isSmallest(element, match);
  }

  return { byText, matchesPseudo, forget };
}

export type Texts = ReturnType<typeof createTexts>;
