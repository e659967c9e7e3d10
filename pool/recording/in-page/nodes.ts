/**
 * Reading nodes through the prototypes' own getters. Runs in the page, in a world of its own: a page's scripts cannot reach it, but its
 * markup can still shadow what a form or a document has (`<form><input name=attributes>`).
 */
export function createNodes() {
  // A bound `call` makes no list of its arguments, and each is a function of its own to the compiler: half the time of a snapshot.
  // biome-ignore lint/suspicious/noExplicitAny: any function of any prototype
  const uncurried = (work: unknown): ((of: any, ...args: any[]) => any) => Function.prototype.call.bind(work as () => unknown);
  // biome-ignore lint/suspicious/noExplicitAny: a getter of any prototype
  const getter = (prototype: object, name: string): ((of: any) => any) => uncurried(Object.getOwnPropertyDescriptor(prototype, name)?.get);
  // biome-ignore lint/suspicious/noExplicitAny: a method of any prototype
  const method = (prototype: any, name: string): ((of: any, ...args: any[]) => any) => uncurried(prototype[name]);
  const parentNode = getter(Node.prototype, "parentNode") as (node: Node) => Node | null;
  const elementInDocument = method(Document.prototype, "elementFromPoint");
  const elementInShadow = method(ShadowRoot.prototype, "elementFromPoint");
  const activeInDocument = getter(Document.prototype, "activeElement");
  const activeInShadow = getter(ShadowRoot.prototype, "activeElement");
  const adoptedByDocument = getter(Document.prototype, "adoptedStyleSheets");
  const adoptedByShadow = getter(ShadowRoot.prototype, "adoptedStyleSheets");

  return {
    type: getter(Node.prototype, "nodeType") as (node: Node) => number,
    name: getter(Node.prototype, "nodeName") as (node: Node) => string,
    text: getter(Node.prototype, "textContent") as (node: Node) => string | null,
    isConnected: getter(Node.prototype, "isConnected") as (node: Node) => boolean,
    firstChild: getter(Node.prototype, "firstChild") as (node: Node) => Node | null,
    nextSibling: getter(Node.prototype, "nextSibling") as (node: Node) => Node | null,
    baseUri: getter(Node.prototype, "baseURI") as (node: Node) => string,
    /** Out of a shadow root into its host. */
    parent: (node: Node): Node | null => parentNode(node) ?? (node instanceof ShadowRoot ? node.host : null),
    hasAttributes: method(Element.prototype, "hasAttributes") as (element: Element) => boolean,
    hasAttribute: method(Element.prototype, "hasAttribute") as (element: Element, name: string) => boolean,
    attributes: getter(Element.prototype, "attributes") as (element: Element) => NamedNodeMap,
    namespace: getter(Element.prototype, "namespaceURI") as (element: Element) => string | null,
    localName: getter(Element.prototype, "localName") as (element: Element) => string,
    shadowRoot: getter(Element.prototype, "shadowRoot") as (element: Element) => ShadowRoot | null,
    scrollTop: getter(Element.prototype, "scrollTop") as (element: Element) => number,
    scrollLeft: getter(Element.prototype, "scrollLeft") as (element: Element) => number,
    rect: method(Element.prototype, "getBoundingClientRect") as (element: Element) => DOMRect,
    matches: method(Element.prototype, "matches") as (element: Element, css: string) => boolean,
    documentElement: getter(Document.prototype, "documentElement") as (document: Document) => Element | null,
    scrollerOf: getter(Document.prototype, "scrollingElement") as (document: Document) => Element | null,
    doctype: getter(Document.prototype, "doctype") as (document: Document) => DocumentType | null,
    sheetsOf: getter(Document.prototype, "styleSheets") as (document: Document) => StyleSheetList,
    adoptedBy: (root: Document | ShadowRoot): CSSStyleSheet[] => [
      ...(root instanceof ShadowRoot ? adoptedByShadow : adoptedByDocument)(root),
    ],
    elementAt: (root: Document | ShadowRoot, x: number, y: number): Element | null =>
      root instanceof ShadowRoot ? elementInShadow(root, x, y) : elementInDocument(root, x, y),
    activeIn: (root: Document | ShadowRoot): Element | null => (root instanceof ShadowRoot ? activeInShadow(root) : activeInDocument(root)),
  };
}

export type Nodes = ReturnType<typeof createNodes>;
