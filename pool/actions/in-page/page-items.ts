/** What a page map tells of an element, by its kind. Runs in the page. */
import type { Dom } from "./dom.ts";
import type { Names } from "./names.ts";
import type { Roles } from "./roles.ts";

/** `selectors`: each finds this element and no other of its frame, the most stable first; empty where none does. */
export type MapItem = {
  kind: "landmark" | "heading" | "field" | "action" | "link" | "table" | "text";
  role: string;
  name: string;
  selectors: string[];
  /** Inside a navigation landmark. */
  nav: boolean;
  /** Of a heading. */
  level?: number;
  /** Of a field, or where a link leads to. */
  value?: string;
  /** A field whose value is not told: a password, or what its name says is as secret. */
  masked?: boolean;
  states?: string[];
  /** A button that sends a form. */
  submits?: true;
  options?: string[];
  /** Of a table: its rows as text, the header first. */
  rows?: string[][];
  moreRows?: number;
};

/** `clickable`: told as an action, without a role that says so. */
export type ItemKind = MapItem["kind"] | "clickable";

export function createPageItems(dom: Dom, roles: Roles, names: Names) {
  const NAME_CHARS = 100;
  const TEXT_CHARS = 300;
  const ROWS = 12;
  const CELL_CHARS = 60;
  /** Shows nothing that a map tells of. */
  const DROPPED = dom.among("SCRIPT STYLE NOSCRIPT TEMPLATE HEAD META LINK SVG CANVAS OBJECT EMBED IFRAME FRAME");
  const CHECKS = dom.among("checkbox radio switch menuitemcheckbox menuitemradio");
  const NEWS = dom.among("alert status log");
  /** What they hold is no part of the text around them. */
  const FORM_FIELDS = dom.among("INPUT TEXTAREA SELECT");
  /** Their text is all that is in them, blocks too. */
  const WHOLE = dom.among("BUTTON A SUMMARY TD TH");
  const SECRET =
    /account|auth|card.?(number|no)|cvc|cvv|e-?mail|login|\botp\b|passw|passcode|\bpin\b|secret|\bssn\b|token|user.?name|user.?id|verification.?code/i;

  const cut = (text: string, max: number) => (text.length > max ? `${text.slice(0, max - 1)}…` : text);

  /** Of this look: what links are relative to, and whether that is of the page's own host. */
  let base = "";
  let isOwnBase = false;
  function begin(): void {
    base = dom.baseUri(document);
    isOwnBase = base.startsWith(`${location.origin}/`);
  }

  function itemOf(kind: ItemKind, element: Element, role: string, nav: boolean): MapItem {
    const named = () => cut(names.nameOf(element), NAME_CHARS);
    const said = () => textOf(element, NAME_CHARS);
    const plain = { kind: kind === "clickable" ? ("action" as const) : kind, role, selectors: [], nav };
    switch (kind) {
      case "field":
        return field(element, { ...plain, name: named() });
      case "heading":
        return { ...plain, name: named(), level: roles.states.level(element, role) };
      case "link":
        return { ...plain, name: named() || said(), value: hrefOf(element), ...statesOf(element, role) };
      case "action":
        return { ...plain, name: named() || said(), ...statesOf(element, role), ...sending(element) };
      case "clickable":
        return { ...plain, role: role || "clickable", name: said(), ...statesOf(element, role) };
      case "table":
        return table(element, { ...plain, name: named() });
      case "landmark":
        return { ...plain, name: named() };
      case "text":
        return { ...plain, role: NEWS.has(role) ? role : "", name: textOf(element, TEXT_CHARS) };
    }
  }

  /** Of a slot that has any. */
  function assignedTo(element: Element): Node[] | null {
    if (dom.tagName(element) !== "SLOT") return null;
    const assigned = (element as HTMLSlotElement).assignedNodes();
    return assigned.length > 0 ? assigned : null;
  }
  const shownRoot = (element: Element): Node => dom.shadowRoot(element) ?? element;

  /** As they are rendered: a host shows its shadow root, a slot what is assigned to it. */
  const childrenOf = (element: Element): Iterable<Node> => assignedTo(element) ?? dom.childNodes(shownRoot(element));

  function sending(element: Element): { submits?: true } {
    const kind = (dom.attribute(element, "type") ?? "").toLowerCase();
    const tag = dom.tagName(element);
    const submits = (tag === "BUTTON" && !/^(?:button|reset)$/.test(kind)) || (tag === "INPUT" && /^(?:submit|image)$/.test(kind));
    return submits && (dom.hasAttribute(element, "form") || dom.closest(element, "form") !== null) ? { submits } : {};
  }

  const isEditable = (element: Element): boolean => {
    const own = dom.attribute(element, "contenteditable");
    return own !== null && own !== "false";
  };
  const isClickable = (element: Element): boolean => dom.hasAttribute(element, "onclick") || dom.attribute(element, "tabindex") === "0";

  function hasOwnText(element: Element): boolean {
    const assigned = assignedTo(element);
    const tells = (node: Node) => node.nodeType === 3 && /\S/.test(node.nodeValue ?? "");
    if (assigned) return assigned.some(tells);
    for (let node = dom.firstChild(shownRoot(element)); node; node = dom.nextSibling(node)) if (tells(node)) return true;
    return false;
  }

  /** The element's own text with that of what stands in its lines; what has an item of its own tells its own. */
  function textOf(element: Element, max: number): string {
    let text = "";
    const add = (node: Node, depth: number) => {
      if (text.length > max * 2 || depth > 20) return;
      if (node.nodeType === 3) text += node.nodeValue ?? "";
      else if (dom.isElement(node) && !DROPPED.has(dom.tagName(node)) && !FORM_FIELDS.has(dom.tagName(node))) {
        const { display, visibility } = dom.styleOf(node);
        if (display === "none" || visibility === "hidden") return;
        const block = !display.startsWith("inline");
        if (block) text += " ";
        for (const child of childrenOf(node)) add(child, depth + 1);
        if (block) text += " ";
      }
    };
    const whole = WHOLE.has(dom.tagName(element)) || isClickable(element);
    for (const child of childrenOf(element)) {
      const own = !whole && (child.nodeType === 3 || (dom.isElement(child) && dom.styleOf(child).display.startsWith("inline")));
      if (own || whole) add(child, 0);
    }
    return cut(dom.normal(text), max);
  }

  function field(element: Element, item: MapItem): MapItem {
    const input = element as HTMLInputElement;
    const about = ["name", "id", "autocomplete", "placeholder", "type"].map((name) => dom.attribute(element, name) ?? "").join(" ");
    const masked = input.type === "password" || SECRET.test(`${item.name} ${about}`);
    const states = statesOf(element, item.role);
    if (CHECKS.has(item.role)) return { ...item, ...states };
    if (dom.tagName(element) === "SELECT") {
      const { options, selectedOptions } = element as HTMLSelectElement;
      const labels = [...options].slice(0, 20).map(({ label }) => cut(dom.normal(label), 40));
      return {
        ...item,
        value: cut(
          [...selectedOptions]
            .slice(0, 20)
            .map(({ label }) => label)
            .join(", "),
          TEXT_CHARS,
        ),
        options: labels,
        ...states,
      };
    }
    const raw = isEditable(element) ? dom.textContent(element) : (input.value ?? "");
    const value = masked ? (raw === "" ? "" : "[filled]") : cut(dom.normal(raw), 80);
    return { ...item, name: item.name || cut(dom.attribute(element, "placeholder") ?? "", NAME_CHARS), value, masked, ...states };
  }

  function statesOf(element: Element, role: string): { states?: string[] } {
    const states: string[] = [];
    if (roles.isDisabled(element)) states.push("disabled");
    if (CHECKS.has(role)) {
      const checked = roles.states.checked(element, role);
      states.push(checked === "mixed" ? "mixed" : checked ? "checked" : "unchecked");
    }
    const expanded = roles.states.expanded(element);
    if (expanded !== undefined) states.push(expanded ? "expanded" : "collapsed");
    if (roles.states.pressed(element, role)) states.push("pressed");
    if (roles.states.selected(element, role)) states.push("selected");
    if (/^(page|true|step|location)$/.test(dom.attribute(element, "aria-current") ?? "")) states.push("current");
    return states.length > 0 ? { states } : {};
  }

  /** Where it leads, without host where that is the page's own, and without what it carries. */
  function hrefOf(element: Element): string {
    const href = dom.attribute(element, "href") ?? "";
    if (isOwnBase && /^\/[\w-]+(\/[\w-]+)*$/.test(href)) return cut(href, 80); // most are, and need no parser
    try {
      const url = new URL(href, base);
      if (!/^https?:$/.test(url.protocol)) return url.protocol;
      return cut(`${url.origin === location.origin ? "" : url.origin}${url.pathname}${url.search && "?…"}`, 80);
    } catch {
      return "";
    }
  }

  function table(element: Element, item: MapItem): MapItem {
    const rows = [...dom.queryAll(element, "tr, [role=row]")].filter(dom.isVisible);
    const cells = (row: Element) =>
      [...dom.queryAll(row, "td, th, [role=cell], [role=gridcell], [role=columnheader], [role=rowheader]")]
        .slice(0, 12)
        .map((cell) => textOf(cell, CELL_CHARS));
    return { ...item, rows: rows.slice(0, ROWS).map(cells), moreRows: Math.max(0, rows.length - ROWS) };
  }

  const titleOf = (document: Document): string => cut(document.title, TEXT_CHARS);

  return { DROPPED, begin, titleOf, itemOf, hasOwnText, isEditable, isClickable, assignedTo, shownRoot };
}

export type PageItems = ReturnType<typeof createPageItems>;
