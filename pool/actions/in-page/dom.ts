/**
 * Reading a document from inside it. Each function of this folder runs in the page, in a world of its own: its text is sent there,
 * so it may use nothing but its arguments and the browser. The page's scripts cannot reach that world; its markup can still
 * shadow properties (`<input name=parentNode>` inside a form does), so the getters are taken from the prototypes.
 */
export function createDom() {
  // biome-ignore lint/suspicious/noExplicitAny: a getter of any prototype
  const getter = (prototype: object, name: string): ((of: any) => any) => {
    const get = Object.getOwnPropertyDescriptor(prototype, name)?.get as () => unknown;
    return (of) => Reflect.apply(get, of, []);
  };
  // biome-ignore lint/suspicious/noExplicitAny: a method of any prototype
  const method = (prototype: any, name: string): ((of: any, ...args: any[]) => any) => {
    const call = prototype[name] as (...args: unknown[]) => unknown;
    return (of, ...args) => Reflect.apply(call, of, args);
  };
  const parentNode: (node: Node) => Node | null = getter(Node.prototype, "parentNode");
  const childNodes: (node: Node) => NodeListOf<ChildNode> = getter(Node.prototype, "childNodes");
  const shadowRoot: (element: Element) => ShadowRoot | null = getter(Element.prototype, "shadowRoot");
  const assignedSlot: (node: Element | Text) => HTMLSlotElement | null = (node) => slotOf[node.nodeType === 1 ? 0 : 1](node);
  const slotOf = [getter(Element.prototype, "assignedSlot"), getter(Text.prototype, "assignedSlot")] as const;
  const tagName = (element: Element): string => String(localName(element)).toUpperCase();
  const localName: (element: Element) => string = getter(Element.prototype, "localName");
  const isConnected: (node: Node) => boolean = getter(Node.prototype, "isConnected");
  const documentElement: (document: Document) => Element | null = getter(Document.prototype, "documentElement");
  const headOf: (document: Document) => Element | null = getter(Document.prototype, "head");
  const bodyOf: (document: Document) => HTMLElement | null = getter(Document.prototype, "body");
  const attribute: (element: Element, name: string) => string | null = method(Element.prototype, "getAttribute");
  const hasAttribute: (element: Element, name: string) => boolean = method(Element.prototype, "hasAttribute");
  const matches: (element: Element, css: string) => boolean = method(Element.prototype, "matches");
  const closestIn: (element: Element, css: string) => Element | null = method(Element.prototype, "closest");
  const rectOf: (element: Element) => DOMRect = method(Element.prototype, "getBoundingClientRect");
  const rectsOf: (element: Element) => DOMRectList = method(Element.prototype, "getClientRects");
  const checkVisibility: (element: Element) => boolean = method(Element.prototype, "checkVisibility");
  const rootOf: (node: Node) => Node = method(Node.prototype, "getRootNode");
  const isElement = (node: unknown): node is Element => node instanceof Element;
  const all: Record<number, (root: Node, css: string) => NodeListOf<Element>> = {
    1: method(Element.prototype, "querySelectorAll"),
    9: method(Document.prototype, "querySelectorAll"),
    11: method(DocumentFragment.prototype, "querySelectorAll"),
  };
  const queryAll = (root: Node, css: string): NodeListOf<Element> => (all[root.nodeType] as (typeof all)[1])(root, css);

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
      for (const element of queryAll(root, "*")) {
        const shadow = shadowRoot(element);
        if (shadow) found.push(shadow);
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

  /** Does style let it show: display, visibility, closed details, content-visibility? A box may still be missing. */
  const isShown = (element: Element): boolean => checkVisibility(element) && styleOf(element).visibility === "visible";

  /** Playwright's meaning: a box that is not empty, and not hidden by style. `opacity: 0` is visible. */
  function isVisible(element: Element): boolean {
    if (!isConnected(element)) return false;
    if (styleOf(element).display === "contents") {
      for (const child of childNodes(element)) {
        if (isElement(child) ? isVisible(child) : child.nodeType === 3 && hasBox(child as Text)) return true;
      }
      return false;
    }
    if (!isShown(element)) return false;
    const { width, height } = rectOf(element);
    return width > 0 && height > 0;
  }

  function hasBox(text: Text): boolean {
    const range = document.createRange();
    range.selectNode(text);
    const { width, height } = range.getBoundingClientRect();
    return width > 0 && height > 0;
  }

  const normal = (text: string): string =>
    text
      .replace(/[\u200b\u00ad]/g, "")
      .trim()
      .replace(/\s+/g, " ");

  /** How a message names an element: its tag with what tells it from others, and a little of its text. */
  function describe(element: Element): string {
    const tag = tagName(element).toLowerCase();
    const marks = ["id", "class", "role", "name", "type", "aria-label", "data-testid"]
      .map((name) => [name, attribute(element, name)] as const)
      .filter(([, value]) => value)
      .slice(0, 3)
      .map(([name, value]) => ` ${name}="${normal(value as string).slice(0, 60)}"`);
    const text =
      /^(input|textarea|select|html|body)$/.test(tag) || isEditable(element) ? "" : normal(element.textContent?.slice(0, 200) ?? "");
    return `<${tag}${marks.join("")}>${text.length > 40 ? `${text.slice(0, 40)}…` : text}`;
  }

  const isEditable = (element: Element): boolean => (element as HTMLElement).isContentEditable === true;

  const nextFrame = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, 100); // a page in the background draws no frames
      requestAnimationFrame(() => {
        clearTimeout(timer);
        resolve();
      });
    });

  // biome-ignore format: a list of names
  return {
    parentNode, childNodes, shadowRoot, assignedSlot, tagName, isConnected, documentElement, headOf, bodyOf, attribute, hasAttribute, matches,
    rectOf, rectsOf, rootOf, isElement, queryAll, parentElement, closest, holds, trees, styleOf, isShown, isVisible, isEditable, normal, describe,
    nextFrame,
  };
}

export type Dom = ReturnType<typeof createDom>;
