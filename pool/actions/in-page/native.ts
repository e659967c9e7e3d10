/**
 * The browser's own properties and methods, taken from the prototypes. Each function of this folder runs in the page, in a world of its
 * own: its text is sent there, so it may use nothing but its arguments and the browser. The page's scripts cannot reach that world; its
 * markup can still shadow properties of forms and documents (`<form><input name=parentNode>`, `<img name=evaluate>`).
 */
export function createNative() {
  // A bound `call` makes no list of its arguments: a map of a large page asks a hundred thousand times.
  // biome-ignore lint/suspicious/noExplicitAny: any function of any prototype
  const uncurried = (work: unknown): ((of: any, ...args: any[]) => any) => Function.prototype.call.bind(work as () => unknown);
  // biome-ignore lint/suspicious/noExplicitAny: a getter of any prototype
  const getter = (prototype: object, name: string): ((of: any) => any) => {
    return uncurried(Object.getOwnPropertyDescriptor(prototype, name)?.get);
  };
  // biome-ignore lint/suspicious/noExplicitAny: a setter of any prototype
  const setter = (prototype: object, name: string): ((of: any, value: any) => void) => {
    return uncurried(Object.getOwnPropertyDescriptor(prototype, name)?.set);
  };
  // biome-ignore lint/suspicious/noExplicitAny: a method of any prototype
  const method = (prototype: any, name: string): ((of: any, ...args: any[]) => any) => {
    return uncurried(prototype[name]);
  };
  type Root = Document | ShadowRoot;
  /** One function for documents, shadow roots and elements, which have it from different prototypes. */
  const ofAny = <F extends (of: never, ...args: never[]) => unknown>(
    make: typeof getter | typeof setter | typeof method,
    name: string,
    fragment: object,
  ): F => {
    const [document, shadow] = [make(Document.prototype, name), make(fragment, name)];
    return ((of: Node, ...args: never[]) => (of.nodeType === 9 ? document : shadow)(of, ...args)) as unknown as F;
  };
  const inElement = method(Element.prototype, "querySelectorAll");
  const inRoot = ofAny<(root: Node, css: string) => NodeListOf<Element>>(method, "querySelectorAll", DocumentFragment.prototype);

  return {
    parentNode: getter(Node.prototype, "parentNode") as (node: Node) => Node | null,
    childNodes: getter(Node.prototype, "childNodes") as (node: Node) => NodeListOf<ChildNode>,
    firstChild: getter(Node.prototype, "firstChild") as (node: Node) => ChildNode | null,
    lastChild: getter(Node.prototype, "lastChild") as (node: Node) => ChildNode | null,
    nextSibling: getter(Node.prototype, "nextSibling") as (node: Node) => ChildNode | null,
    previousSibling: getter(Node.prototype, "previousSibling") as (node: Node) => ChildNode | null,
    textContent: getter(Node.prototype, "textContent") as (node: Node) => string,
    isConnected: getter(Node.prototype, "isConnected") as (node: Node) => boolean,
    rootOf: method(Node.prototype, "getRootNode") as (node: Node) => Node,

    children: getter(Element.prototype, "children") as (element: Element) => HTMLCollection,
    previousElement: getter(Element.prototype, "previousElementSibling") as (element: Element) => Element | null,
    shadowRoot: getter(Element.prototype, "shadowRoot") as (element: Element) => ShadowRoot | null,
    slotOfElement: getter(Element.prototype, "assignedSlot") as (element: Element) => HTMLSlotElement | null,
    slotOfText: getter(Text.prototype, "assignedSlot") as (text: Text) => HTMLSlotElement | null,
    localName: getter(Element.prototype, "localName") as (element: Element) => string,
    outerHtml: getter(Element.prototype, "outerHTML") as (element: Element) => string,
    shownText: getter(HTMLElement.prototype, "innerText") as (element: Element) => string,
    attribute: method(Element.prototype, "getAttribute") as (element: Element, name: string) => string | null,
    hasAttribute: method(Element.prototype, "hasAttribute") as (element: Element, name: string) => boolean,
    attributeNames: method(Element.prototype, "getAttributeNames") as (element: Element) => string[],
    matches: method(Element.prototype, "matches") as (element: Element, css: string) => boolean,
    closestIn: method(Element.prototype, "closest") as (element: Element, css: string) => Element | null,
    rectOf: method(Element.prototype, "getBoundingClientRect") as (element: Element) => DOMRect,
    rectsOf: method(Element.prototype, "getClientRects") as (element: Element) => DOMRectList,
    checkVisibility: method(Element.prototype, "checkVisibility") as (element: Element, options?: CheckVisibilityOptions) => boolean,
    scrollTo: method(Element.prototype, "scrollIntoView") as (element: Element, options: ScrollIntoViewOptions) => void,

    queryOne: method(Element.prototype, "querySelector") as (element: Element, css: string) => Element | null,
    queryAll: (root: Node, css: string): NodeListOf<Element> =>
      root.nodeType === 1 ? inElement(root, css) : inRoot(root as never, css as never),
    byId: ofAny<(root: Root, id: string) => Element | null>(method, "getElementById", DocumentFragment.prototype),
    elementAt: ofAny<(root: Root, x: number, y: number) => Element | null>(method, "elementFromPoint", ShadowRoot.prototype),
    activeIn: ofAny<(root: Root) => Element | null>(getter, "activeElement", ShadowRoot.prototype),
    documentElement: getter(Document.prototype, "documentElement") as (document: Document) => Element | null,
    bodyOf: getter(Document.prototype, "body") as (document: Document) => HTMLElement | null,
    hasFocus: method(Document.prototype, "hasFocus") as (document: Document) => boolean,
    execCommand: method(Document.prototype, "execCommand") as (document: Document, name: string, ui: boolean, text: string) => boolean,
    sheetsOf: ofAny<(root: Root) => CSSStyleSheet[]>(getter, "adoptedStyleSheets", ShadowRoot.prototype),
    setSheets: ofAny<(root: Root, sheets: CSSStyleSheet[]) => void>(setter, "adoptedStyleSheets", ShadowRoot.prototype),
    animate: method(Element.prototype, "animate") as (element: Element, frames: Keyframe[], timing: KeyframeAnimationOptions) => Animation,
    readyState: getter(Document.prototype, "readyState") as (document: Document) => DocumentReadyState,
    scrollerOf: getter(Document.prototype, "scrollingElement") as (document: Document) => Element | null,
    implementationOf: getter(Document.prototype, "implementation") as (document: Document) => DOMImplementation,
    baseUri: getter(Node.prototype, "baseURI") as (document: Document) => string,
    xpath: method(Document.prototype, "evaluate") as (
      document: Document,
      xpath: string,
      context: Node,
      resolver: null,
      type: number,
    ) => XPathResult,
    range: method(Document.prototype, "createRange") as (document: Document) => Range,
    walker: method(Document.prototype, "createTreeWalker") as (document: Document, root: Node, show: number) => TreeWalker,
  };
}

export type Native = ReturnType<typeof createNative>;
