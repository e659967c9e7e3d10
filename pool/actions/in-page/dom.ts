/** Reading a document from inside it: across shadow roots, and as it is seen. Runs in the page. */
import type { Native } from "./native.ts";

export function createDom(native: Native) {
  const { parentNode, childNodes, rootOf, attribute, rectOf, checkVisibility, closestIn, isConnected, queryAll } = native;

  const isElement = (node: unknown): node is Element => node instanceof Element;
  const tagNames = new Map<string, string>();
  /** In capitals. Few names, asked for all the time. */
  function tagName(element: Element): string {
    const name = String(native.localName(element));
    let upper = tagNames.get(name);
    if (upper === undefined) {
      upper = name.toUpperCase();
      if (tagNames.size < 500) tagNames.set(name, upper);
    }
    return upper;
  }
  const assignedSlot = (node: Element | Text) => (isElement(node) ? native.slotOfElement(node) : native.slotOfText(node));

  /** The element above, out of a shadow root into its host. */
  function parentElement(element: Element): Element | null {
    const parent = parentNode(element);
    return parent instanceof ShadowRoot ? parent.host : isElement(parent) ? parent : null;
  }

  /** As `closest`, across open shadow roots. */
  function closest(element: Element, css: string): Element | null {
    for (let each: Element | null = element; each; ) {
      const found: Element | null = closestIn(each, css);
      if (found) return found;
      const root = rootOf(each);
      each = root instanceof ShadowRoot ? root.host : null;
    }
    return null;
  }

  /** As `contains`, across shadow roots and slots: is it rendered inside? */
  function holds(outer: Element, inner: Element | null): boolean {
    for (let each = inner; each; each = assignedSlot(each) ?? parentElement(each)) if (each === outer) return true;
    for (let each = inner; each; each = parentElement(each)) if (each === outer) return true;
    return false;
  }

  /** The document and every open shadow root in it, outer ones first. */
  function trees(): (Document | ShadowRoot)[] {
    const found: (Document | ShadowRoot)[] = [document];
    for (const root of found) {
      const elements = queryAll(root, "*");
      for (let i = 0; i < elements.length; i += 1) {
        const shadow = (elements[i] as Element).shadowRoot; // straight, for speed: what can be shadowed, a form, has none
        if (shadow instanceof ShadowRoot) found.push(shadow);
      }
    }
    return found;
  }

  const styles = new WeakMap<Element, CSSStyleDeclaration>();
  /** The live computed style: one object an element, however often it is asked. */
  function styleOf(element: Element): CSSStyleDeclaration {
    let style = styles.get(element);
    if (!style) {
      style = getComputedStyle(element);
      styles.set(element, style);
    }
    return style;
  }

  const VISIBILITY_TOO = { visibilityProperty: true };
  /** Does style let it show: display, visibility, closed details, content-visibility? A box may still be missing. */
  const isShown = (element: Element): boolean => checkVisibility(element, VISIBILITY_TOO);

  /** Of an element that is shown: is there anything to see of it? */
  function hasArea(element: Element): boolean {
    const { width, height } = rectOf(element);
    return width > 0 && height > 0;
  }

  /** Playwright's meaning: a box that is not empty, and not hidden by style. `opacity: 0` is visible. */
  function isVisible(element: Element): boolean {
    if (!isConnected(element)) return false;
    if (isShown(element)) return hasArea(element);
    if (styleOf(element).display !== "contents") return false; // such an element has no box of its own
    for (const child of childNodes(element)) {
      if (isElement(child) ? isVisible(child) : child.nodeType === 3 && hasBox(child as Text)) return true;
    }
    return false;
  }

  function hasBox(text: Text): boolean {
    const range = native.range(document);
    range.selectNode(text);
    const { width, height } = range.getBoundingClientRect();
    return width > 0 && height > 0;
  }

  const normal = (text: string): string =>
    text
      .replace(/[\u200b\u00ad]/g, "")
      .trim()
      .replace(/\s+/g, " ");

  /** Sets, not regular expressions, where few are asked often: most pages are looked at once, before anything here has been compiled. */
  const among = (words: string): ReadonlySet<string> => new Set(words.split(" "));

  const isEditable = (element: Element): boolean => (element as HTMLElement).isContentEditable === true;

  /** How a message names an element: its tag with what tells it from others, and a little of its text; of fields, never what they hold. */
  function describe(element: Element): string {
    const tag = tagName(element).toLowerCase();
    const marks = ["id", "class", "role", "name", "type", "aria-label", "data-testid"]
      .map((name) => [name, attribute(element, name)] as const)
      .filter(([, value]) => value)
      .slice(0, 3)
      .map(([name, value]) => ` ${name}="${short(normal(value as string), 60)}"`);
    const isSilent = /^(input|textarea|select|html|body)$/.test(tag) || isEditable(element);
    const text = isSilent ? "" : normal(short(native.textContent(element), 200)); // the page may have written mostly white space
    return `<${tag}${marks.join("")}>${short(text, 40)}`;
  }

  /** Cut, with a mark: what looks for secrets in it must know. */
  const short = (text: string, chars: number): string => (text.length > chars ? `${text.slice(0, chars)}…` : text);

  const nextFrame = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, 100); // a page in the background draws no frames
      requestAnimationFrame(() => {
        clearTimeout(timer);
        resolve();
      });
    });

  return {
    ...native,
    isElement,
    tagName,
    assignedSlot,
    parentElement,
    closest,
    holds,
    trees,
    styleOf,
    isShown,
    hasArea,
    isVisible,
    isEditable,
    normal,
    among,
    describe,
    short,
    nextFrame,
  };
}

export type Dom = ReturnType<typeof createDom>;
