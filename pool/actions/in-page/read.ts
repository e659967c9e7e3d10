/** Reading texts out of a page, and moving it. Runs in the page. */
import type { Dom } from "./dom.ts";
import type { TaskOutcome } from "./look.ts";

export function createRead(dom: Dom) {
  const DROPPED = /^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE|LINK|META|SVG|CANVAS|IFRAME|OBJECT|EMBED|AUDIO|VIDEO|HEAD)$/;
  const KEPT = ["href", "src", "alt", "title", "colspan", "rowspan", "start", "type"];
  /** Nobody nests by hand like this; below it only the text is kept. */
  const MAX_DEPTH = 200;
  const SCREENED = /^(INPUT|TEXTAREA|SELECT)$/;

  /** `limit`: characters; one more than that tells that there were more. */
  function read(element: Element, { mode, limit }: { mode: "text" | "html" | "value" | "markdown"; limit: number }): TaskOutcome {
    const text =
      mode === "html"
        ? dom.outerHtml(element)
        : mode === "value"
          ? fieldValue(element)
          : mode === "markdown"
            ? plainHtml(element)
            : shownText(element);
    return text === null ? { never: "it has no value: it is not a field" } : { done: text.slice(0, limit + 1) };
  }

  function fieldValue(found: Element): string | null {
    const element = dom.tagName(found) === "LABEL" ? ((found as HTMLLabelElement).control ?? found) : found;
    const { value } = element as { value?: unknown };
    if (typeof value === "string" || typeof value === "number") return String(value);
    return dom.isEditable(element) ? shownText(element) : dom.attribute(element, "value");
  }

  /** What a person reads there. A field shows its value, which `innerText` leaves out; so it does with shadow roots. */
  function shownText(element: Element): string {
    const tag = dom.tagName(element);
    if (tag === "SELECT") return [...(element as HTMLSelectElement).selectedOptions].map(({ label }) => label).join(", ");
    if (SCREENED.test(tag)) return (element as HTMLInputElement).value;
    const hasShadow = dom.shadowRoot(element) !== null || [...dom.queryAll(element, "*")].some((each) => dom.shadowRoot(each) !== null);
    if (hasShadow) return flatText(element).trim();
    return (element instanceof HTMLElement ? dom.shownText(element) : dom.textContent(element)).trim();
  }

  /** As `innerText`, roughly, through shadow roots and slots. */
  function flatText(element: Element): string {
    let text = "";
    const add = (node: Node): void => {
      if (node.nodeType === 3) {
        text += (node.nodeValue ?? "").replace(/\s+/g, " ");
        return;
      }
      if (!dom.isElement(node) || DROPPED.test(dom.tagName(node))) return;
      const { display, visibility } = dom.styleOf(node);
      if (display === "none" || visibility === "hidden") return;
      const breaks = dom.tagName(node) === "BR" || (!/^(inline|contents|table-cell)/.test(display) && !text.endsWith("\n") && text !== "");
      if (breaks) text = `${text.replace(/ +$/, "")}\n`;
      if (display === "table-cell" && !text.endsWith("\n") && text !== "") text += "\t";
      for (const child of inside(node)) add(child);
      if (!/^(inline|contents|table-cell)/.test(display) && !text.endsWith("\n")) text = `${text.replace(/ +$/, "")}\n`;
    };
    add(element);
    return text;
  }

  /** Children as they are rendered: a host shows its shadow root, a slot what is assigned to it. */
  function inside(element: Element): Iterable<Node> {
    if (dom.tagName(element) === "SLOT") {
      const assigned = (element as HTMLSlotElement).assignedNodes();
      if (assigned.length > 0) return assigned;
    }
    return dom.childNodes(dom.shadowRoot(element) ?? element);
  }

  /** Only what is shown, without scripts, styles or handlers, links absolute: safe to parse, and small. */
  function plainHtml(root: Element): string {
    const copy = dom.implementationOf(document).createHTMLDocument("");
    const build = (element: Element, depth: number): Element | null => {
      const tag = dom.tagName(element);
      if (DROPPED.test(tag)) return null;
      const { display, visibility } = dom.styleOf(element);
      if (display === "none" || (visibility !== "visible" && dom.children(element).length === 0)) return null;
      if (SCREENED.test(tag)) {
        const field = copy.createElement("span");
        field.textContent = (element as HTMLInputElement).type === "password" ? "" : shownText(element);
        return field;
      }
      const clone = copy.createElement(/^[a-z][a-z0-9]*$/.test(element.localName) ? element.localName : "div");
      for (const name of KEPT) {
        const value = dom.attribute(element, name);
        if (value !== null) clone.setAttribute(name, name === "href" || name === "src" ? absolute(value) : value);
      }
      if (depth > MAX_DEPTH) clone.textContent = dom.textContent(element);
      else
        for (const child of inside(element)) {
          if (child.nodeType === 3) clone.append(copy.createTextNode(child.nodeValue ?? ""));
          else if (dom.isElement(child)) {
            const built = build(child, depth + 1);
            if (built) clone.append(built);
          }
        }
      return clone;
    };
    return build(root, 0)?.outerHTML ?? "";
  }

  function absolute(url: string): string {
    if (/^\s*(data|javascript):/i.test(url)) return "";
    try {
      return new URL(url, dom.baseUri(document)).href;
    } catch {
      return url; // not a URL: the text is all there is to show
    }
  }

  /** Moves the element, or what scrolls around it. Without an element: the page, or the largest part of it that scrolls that way. */
  function scroll(found: Element | null, { dx, dy }: { dx: number; dy: number }): TaskOutcome {
    const moves = (element: Element): boolean => {
      const before = [element.scrollLeft, element.scrollTop];
      element.scrollBy({ left: dx, top: dy, behavior: "instant" });
      return element.scrollLeft !== before[0] || element.scrollTop !== before[1];
    };
    const canScroll = (element: Element): boolean => {
      const { overflowX, overflowY } = dom.styleOf(element);
      const room = dx !== 0 ? element.scrollWidth - element.clientWidth : element.scrollHeight - element.clientHeight;
      return room > 1 && /auto|scroll|overlay/.test(dx !== 0 ? overflowX : overflowY);
    };
    const page = dom.scrollerOf(document);
    for (let each = found; each; each = dom.parentElement(each)) if (each !== page && canScroll(each)) return { done: moves(each) };
    if (page && moves(page)) return { done: true };
    if (found) return { done: false };
    const areas = dom
      .trees()
      .flatMap((tree) => [...dom.queryAll(tree, "*")])
      .filter((each) => canScroll(each) && dom.isVisible(each));
    const area = (each: Element) => dom.rectOf(each).width * dom.rectOf(each).height;
    return { done: areas.toSorted((a, b) => area(b) - area(a)).some(moves) };
  }

  return { read, scroll, shownText };
}

export type Read = ReturnType<typeof createRead>;
