/** What a page offers, as a list: headings, fields, tables, what can be done, where one can go, and its text. Runs in the page. */
import type { Dom } from "./dom.ts";
import type { TaskOutcome } from "./look.ts";
import type { OwnSelectors } from "./own-selectors.ts";
import type { ItemKind, MapItem, PageItems } from "./page-items.ts";
import type { Roles } from "./roles.ts";

/** `left`: about how many more there are, of kinds that were over the limit. */
export type MapAnswer = { title: string; items: MapItem[]; left: number; truncated: boolean };

export function createPageMap(dom: Dom, roles: Roles, items: PageItems, { ownSelectors }: OwnSelectors) {
  const MAX_NODES = 30_000;
  const MAX_ITEMS = 3_000;
  const LANDMARKS = dom.among("banner main navigation complementary contentinfo search form region dialog alertdialog");
  const FIELDS = dom.among("textbox searchbox combobox listbox checkbox radio switch slider spinbutton");
  const ACTIONS = dom.among("button menuitem menuitemcheckbox menuitemradio tab option treeitem");
  /** Told by the table or the field that they are in. */
  const PARTS = dom.among("cell gridcell columnheader rowheader option");
  /** Tell all that is in them, controls aside. */
  const CLOSED = dom.among("action clickable link field heading");
  const CONTROLS = "a[href], button, input, select, textarea, [role=button]";
  /** Most of a page: they mean nothing, unless an attribute makes something of them. */
  const PLAIN = dom.among("DIV SPAN B I S U SMALL BIG FONT CENTER LABEL");
  const MARKED = "[role], [onclick], [tabindex], [contenteditable]";

  type Seen = { element: Element; item: MapItem };
  /** What an element's surroundings say of it. */
  type Around = { nav: boolean; inTable: boolean };

  /** At most `limit` items of each kind. */
  function map(root: Element | null, limit: number): MapAnswer {
    const start = root ?? dom.documentElement(document);
    items.begin();
    const seen: Seen[] = [];
    let visited = 0;
    let truncated = false;
    const counts: Record<string, number> = {};
    let left = 0;
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
      if (!dom.isElement(node)) continue;
      const tag = dom.tagName(node);
      if (items.DROPPED.has(tag)) continue;
      const shown = dom.isShown(node);
      if (!shown && dom.styleOf(node).display === "none") continue;
      const role = PLAIN.has(tag) && !dom.matches(node, MARKED) ? "" : (roles.roleOf(node) ?? "");
      const kind = kindOf(node, tag, role, around);
      if (kind !== null && isTold(node, kind, { role, nav: around.nav, shown })) continue;
      const nav = around.nav || role === "navigation";
      const inTable = around.inTable || tag === "TABLE";
      pushChildren(node, nav === around.nav && inTable === around.inTable ? around : { nav, inTable });
    }
    giveSelectors(seen, left === 0 && !truncated);
    return { title: items.titleOf(document), items: seen.map(({ item }) => item), left, truncated };

    /** With all that is in it? What is over the limit is counted, not measured: to ask for a box costs more than all else. */
    function isTold(element: Element, kind: ItemKind, { role, nav, shown }: { role: string; nav: boolean; shown: boolean }): boolean {
      const counted = kind === "link" && nav ? "navigation" : kind;
      const count = counts[counted] ?? 0;
      if (count >= limit) {
        if (shown || dom.styleOf(element).display === "contents") left += 1;
        return false;
      }
      if (!(shown ? dom.hasArea(element) : dom.isVisible(element))) return false;
      counts[counted] = count + 1;
      seen.push({ element, item: items.itemOf(kind, element, role, nav) });
      return CLOSED.has(kind) && dom.queryOne(element, CONTROLS) === null;
    }

    function pushChildren(element: Element, around: Around): void {
      const assigned = items.assignedTo(element);
      if (assigned) for (const node of assigned.toReversed()) stack.push({ node, around });
      else
        for (let node = dom.lastChild(items.shownRoot(element)); node; node = dom.previousSibling(node))
          if (node.nodeType === 1) stack.push({ node, around });
    }
  }

  /** Null: nothing of its own to tell. */
  function kindOf(element: Element, tag: string, role: string, { inTable }: Around): ItemKind | null {
    if (role === "" && PLAIN.has(tag) && !items.isClickable(element) && !items.isEditable(element))
      return !inTable && items.hasOwnText(element) ? "text" : null;
    if ((FIELDS.has(role) || tag === "INPUT" || items.isEditable(element)) && role !== "button") return "field";
    if (role === "heading" || role === "link") return role;
    if (ACTIONS.has(role) && tag !== "OPTION") return "action";
    if (items.isClickable(element) || (tag === "SUMMARY" && !inTable && items.hasOwnText(element))) return "clickable";
    if (role === "table" || role === "grid") return "table";
    if (LANDMARKS.has(role)) return "landmark";
    return !PARTS.has(role) && !inTable && items.hasOwnText(element) ? "text" : null;
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

  return {
    map: ({ limit }: { limit: number }) => map(null, limit),
    task: (element: Element, { limit }: { limit: number }): TaskOutcome => ({ done: map(element, limit) }),
  };
}

export type PageMapPart = ReturnType<typeof createPageMap>;
