/** What a page offers, as a list: headings, fields, tables, what can be done, where one can go, and its text. Runs in the page. */
import type { Dom } from "./dom.ts";
import type { TaskOutcome } from "./look.ts";
import type { Names } from "./names.ts";
import type { OwnSelectors } from "./own-selectors.ts";
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
/** `left`: how many more there are, of kinds that were over the limit. */
export type MapAnswer = { title: string; items: MapItem[]; left: number; truncated: boolean };

export function createPageMap(dom: Dom, roles: Roles, names: Names, { ownSelectors }: OwnSelectors) {
  const MAX_NODES = 30_000;
  const MAX_ITEMS = 3_000;
  const NAME_CHARS = 100;
  const TEXT_CHARS = 300;
  const ROWS = 12;
  const CELL_CHARS = 60;
  const DROPPED = /^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE|HEAD|META|LINK|SVG|CANVAS|OBJECT|EMBED|IFRAME|FRAME)$/;
  const LANDMARKS = /^(banner|main|navigation|complementary|contentinfo|search|form|region|dialog|alertdialog)$/;
  const FIELDS = /^(textbox|searchbox|combobox|listbox|checkbox|radio|switch|slider|spinbutton)$/;
  const ACTIONS = /^(button|menuitem|menuitemcheckbox|menuitemradio|tab|option|treeitem)$/;
  const SECRET =
    /account|auth|card.?(number|no)|cvc|cvv|e-?mail|login|\botp\b|passw|passcode|\bpin\b|secret|\bssn\b|token|user.?name|user.?id|verification.?code/i;

  const cut = (text: string, max: number) => (text.length > max ? `${text.slice(0, max - 1)}…` : text);

  /** Of this look: what links are relative to, and whether that is of the page's own host. */
  let base = "";
  let isOwnBase = false;

  type Seen = { element: Element; item: MapItem };
  /** What an element's surroundings say of it. */
  type Around = { nav: boolean; inTable: boolean };

  /** At most `limit` items of each kind. */
  function map(root: Element | null, limit: number): MapAnswer {
    const start = root ?? dom.documentElement(document);
    base = dom.baseUri(document);
    isOwnBase = base.startsWith(`${location.origin}/`);
    const seen: Seen[] = [];
    let visited = 0;
    let truncated = false;
    const counts: Record<string, number> = {};
    let left = 0;
    const isFull = (kind: string) => {
      const count = (counts[kind] ?? 0) + 1;
      counts[kind] = count;
      if (count > limit) left += 1;
      return count > limit;
    };
    const isIn = (css: string) => start !== null && dom.closest(start, css) !== null;
    const stack: { node: Node; around: Around }[] = start
      ? [{ node: start, around: { nav: isIn("nav, [role=navigation]"), inTable: isIn("table") } }]
      : [];
    while (stack.length > 0) {
      const { node, around } = stack.pop() as (typeof stack)[number];
      visited += 1;
      if (visited > MAX_NODES || seen.length >= MAX_ITEMS) {
        truncated = true;
        break;
      }
      if (!dom.isElement(node) || DROPPED.test(dom.tagName(node)) || (!dom.isShown(node) && dom.styleOf(node).display === "none")) continue;
      const role = roles.roleOf(node) ?? "";
      const item = describe(node, role, around, isFull);
      if (item) seen.push({ element: node, item });
      if (item && /^(action|link|field|heading|table)$/.test(item.kind) && !holdsMore(node, item)) continue;
      const inside = { nav: around.nav || role === "navigation", inTable: around.inTable || dom.tagName(node) === "TABLE" };
      pushChildren(node, inside);
    }
    function pushChildren(element: Element, inside: Around): void {
      const assigned = assignedTo(element);
      if (assigned) for (const node of assigned.toReversed()) stack.push({ node, around: inside });
      else
        for (let node = dom.lastChild(shownRoot(element)); node; node = dom.previousSibling(node))
          if (node.nodeType === 1) stack.push({ node, around: inside });
    }
    giveSelectors(seen, left === 0 && !truncated);
    return { title: cut(document.title, TEXT_CHARS), items: seen.map(({ item }) => item), left, truncated };
  }

  function giveSelectors(seen: readonly Seen[], all: boolean): void {
    const addressed = seen.filter(({ item }) => item.kind !== "text" && item.kind !== "landmark");
    const sought = addressed.map(({ element, item: { kind, role, name } }) => ({
      element,
      role: role === "clickable" ? "" : role,
      name: name === "" || name.endsWith("…") ? null : name,
      isField: kind === "field",
    }));
    for (const [i, selectors] of ownSelectors(sought, all).entries()) (addressed[i] as Seen).item.selectors = selectors;
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

  /** Tables hold buttons, and what can be clicked may hold a field. */
  const holdsMore = (element: Element, { kind }: MapItem): boolean =>
    kind === "table" || dom.queryOne(element, "a[href], button, input, select, textarea, [role=button]") !== null;

  function describe(element: Element, role: string, { nav, inTable }: Around, isFull: (kind: string) => boolean): MapItem | null {
    const base = { role, selectors: [], nav };
    const named = () => cut(names.nameOf(element), NAME_CHARS);
    const isField = FIELDS.test(role) || dom.tagName(element) === "INPUT" || isEditable(element);
    const tells = !inTable && hasOwnText(element);
    if (!isField && !role && !tells && !isClickable(element)) return null;
    if (!dom.isVisible(element)) return null;
    const isInput = isField && role !== "button";
    if ((isInput && isFull("field")) || (role === "heading" && isFull("heading"))) return null;
    if (isInput) return field(element, { ...base, kind: "field", name: named() });
    if (role === "heading") return { ...base, kind: "heading", name: named(), level: roles.states.level(element, role) };
    if (role === "link" && isFull(nav ? "navigation" : "link")) return null;
    if (role === "link")
      return { ...base, kind: "link", name: named() || textOf(element, NAME_CHARS), value: hrefOf(element), ...statesOf(element, role) };
    const isAction = ACTIONS.test(role) && dom.tagName(element) !== "OPTION";
    if (isAction && isFull("action")) return null;
    if (isAction)
      return { ...base, kind: "action", name: named() || textOf(element, NAME_CHARS), ...statesOf(element, role), ...sending(element) };
    const isOther = dom.tagName(element) === "SUMMARY" || isClickable(element);
    if (isOther && isFull("clickable")) return null;
    if (isOther)
      return { ...base, role: role || "clickable", kind: "action", name: textOf(element, NAME_CHARS), ...statesOf(element, role) };
    const isTable = role === "table" || role === "grid";
    if ((isTable && isFull("table")) || (LANDMARKS.test(role) && isFull("landmark"))) return null;
    if (isTable) return table(element, { ...base, kind: "table", name: named() });
    if (LANDMARKS.test(role)) return { ...base, kind: "landmark", name: named() };
    if (/^(cell|gridcell|columnheader|rowheader|option)$/.test(role) || !tells || isFull("text")) return null;
    return { ...base, kind: "text", role: /^(alert|status|log)$/.test(role) ? role : "", name: textOf(element, TEXT_CHARS) };
  }

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
      else if (dom.isElement(node) && !DROPPED.test(dom.tagName(node)) && !/^(INPUT|TEXTAREA|SELECT)$/.test(dom.tagName(node))) {
        const { display, visibility } = dom.styleOf(node);
        if (display === "none" || visibility === "hidden") return;
        const block = !display.startsWith("inline");
        if (block) text += " ";
        for (const child of childrenOf(node)) add(child, depth + 1);
        if (block) text += " ";
      }
    };
    for (const child of childrenOf(element)) {
      const own = child.nodeType === 3 || (dom.isElement(child) && dom.styleOf(child).display.startsWith("inline"));
      if (own || /^(BUTTON|A|SUMMARY|TD|TH)$/.test(dom.tagName(element)) || isClickable(element)) add(child, 0);
    }
    return cut(dom.normal(text), max);
  }

  function field(element: Element, item: MapItem): MapItem {
    const input = element as HTMLInputElement;
    const about = ["name", "id", "autocomplete", "placeholder", "type"].map((name) => dom.attribute(element, name) ?? "").join(" ");
    const masked = input.type === "password" || SECRET.test(`${item.name} ${about}`);
    const states = statesOf(element, item.role);
    if (/^(checkbox|radio|switch)$/.test(item.role)) return { ...item, ...states };
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
    if (/^(checkbox|radio|switch|menuitemcheckbox|menuitemradio)$/.test(role)) {
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

  return {
    map: ({ limit }: { limit: number }) => map(null, limit),
    task: (element: Element, { limit }: { limit: number }): TaskOutcome => ({ done: map(element, limit) }),
  };
}

export type PageMapPart = ReturnType<typeof createPageMap>;
