/** ARIA roles and states of elements, as HTML-AAM maps them and Playwright reads them. Runs in the page, where `known` is told: its text refers to nothing outside. */
import type { Dom } from "./dom.ts";

export function createRoles(dom: Dom, known: readonly string[]) {
  const { attribute, hasAttribute, closest, tagName, parentElement, styleOf } = dom;

  const table = (pairs: string): Record<string, string> => Object.fromEntries(pairs.split(" ").map((pair) => pair.split(":")));
  const PLAIN = table(
    "ARTICLE:article ASIDE:complementary BLOCKQUOTE:blockquote BUTTON:button CAPTION:caption CODE:code DATALIST:listbox " +
      "DD:definition DEL:deletion DETAILS:group DFN:term DIALOG:dialog DT:term EM:emphasis FIELDSET:group FIGURE:figure " +
      "H1:heading H2:heading H3:heading H4:heading H5:heading H6:heading HR:separator HTML:document INS:insertion LI:listitem " +
      "MAIN:main MARK:mark MATH:math MENU:list METER:meter NAV:navigation OL:list OPTGROUP:group OPTION:option OUTPUT:status " +
      "P:paragraph PROGRESS:progressbar SEARCH:search STRONG:strong SUB:subscript SUP:superscript SVG:img TABLE:table " +
      "TBODY:rowgroup TEXTAREA:textbox TFOOT:rowgroup THEAD:rowgroup TIME:time TR:row UL:list",
  );
  const INPUTS = table(
    "button:button checkbox:checkbox file:button image:button number:spinbutton radio:radio range:slider reset:button " + "submit:button",
  );
  /** Tags that have the role in some cases. */
  const SPECIAL = table(
    "link:a,area contentinfo:footer banner:header form:form region:section img:img textbox:input searchbox:input combobox:input,select " +
      "listbox:select cell:td gridcell:td columnheader:th rowheader:th button:input checkbox:input radio:input slider:input spinbutton:input",
  );
  const SECTIONING = ["article", "aside", "main", "nav", "section"].map((tag) => `${tag}:not([role])`);
  const NO_LANDMARK = [...SECTIONING, ...["article", "complementary", "main", "navigation", "region"].map((role) => `[role=${role}]`)].join(
    ", ",
  );
  const GLOBAL_ARIA =
    /^aria-(atomic|busy|controls|current|describedby|details|dropeffect|flowto|grabbed|hidden|keyshortcuts|live|owns|relevant|roledescription)$/;
  /** Roles whose children lose theirs, when such a parent is presentational. */
  const PARENTS = table("LI:OL,UL DD:DL,DIV DT:DL,DIV DIV:DL TBODY:TABLE TFOOT:TABLE THEAD:TABLE TR:THEAD,TBODY,TFOOT,TABLE TD:TR TH:TR");

  const isNamed = (element: Element): boolean =>
    hasAttribute(element, "aria-label") || hasAttribute(element, "aria-labelledby") || hasAttribute(element, "title");

  function implicitRole(element: Element): string | null {
    const tag = tagName(element);
    switch (tag) {
      case "A":
      case "AREA":
        return hasAttribute(element, "href") ? "link" : null;
      case "FOOTER":
      case "HEADER":
        return closest(element, NO_LANDMARK) ? null : tag === "FOOTER" ? "contentinfo" : "banner";
      case "FORM":
        return isNamed(element) ? "form" : null;
      case "SECTION":
        return isNamed(element) ? "region" : null;
      case "IMG":
        return attribute(element, "alt") === "" && !attribute(element, "title") && !keepsRole(element) ? "presentation" : "img";
      case "INPUT":
        return inputRole(element as HTMLInputElement);
      case "SELECT":
        return hasAttribute(element, "multiple") || (element as HTMLSelectElement).size > 1 ? "listbox" : "combobox";
      case "TD": {
        const table = closest(element, "table");
        return table && /^(grid|treegrid)$/.test(attribute(table, "role") ?? "") ? "gridcell" : "cell";
      }
      case "TH":
        return headerRole(element);
      default:
        return PLAIN[tag] ?? null;
    }
  }

  function inputRole(input: HTMLInputElement): string | null {
    const type = input.type.toLowerCase();
    if (type === "hidden") return null;
    if (/^(|email|search|tel|text|url)$/.test(type)) {
      const list = attribute(input, "list");
      const root = dom.rootOf(input);
      if (list && (root instanceof Document || root instanceof ShadowRoot) && dom.byId(root, list)?.localName === "datalist")
        return "combobox";
      return type === "search" ? "searchbox" : "textbox";
    }
    return INPUTS[type] ?? "textbox";
  }

  function headerRole(cell: Element): string {
    const scope = attribute(cell, "scope");
    if (scope === "col" || scope === "colgroup") return "columnheader";
    if (scope === "row" || scope === "rowgroup") return "rowheader";
    const row = parentElement(cell) as HTMLTableRowElement | null;
    const table = closest(cell, "table") as HTMLTableElement | null;
    if (row?.localName !== "tr" || !table) return "columnheader";
    const { children } = row;
    if (children.length < 2 && table.rows.length < 2) return "columnheader";
    return [...children].some((each) => each.localName === "td") && cell === children[0] ? "rowheader" : "columnheader";
  }

  /** Presentational roles do not hold on what has ARIA of its own, or can be focused. */
  const keepsRole = (element: Element): boolean =>
    dom.attributeNames(element).some((name) => GLOBAL_ARIA.test(name)) || ((element as HTMLElement).tabIndex >= 0 && isFocusable(element));
  const isFocusable = (element: Element): boolean =>
    hasAttribute(element, "tabindex") || /^(A|BUTTON|INPUT|SELECT|TEXTAREA|SUMMARY)$/.test(tagName(element));

  const KNOWN = new RegExp(`^(${known.join("|")})$`);

  /** CSS for every element that can have the role. */
  function candidates(role: string): string {
    if (role === "none" || role === "presentation") return "*";
    const plain = Object.keys(PLAIN).filter((tag) => PLAIN[tag] === role);
    return ["[role]", ...plain.map((tag) => tag.toLowerCase()), ...(SPECIAL[role]?.split(",") ?? [])].join(", ");
  }

  function roleOf(element: Element): string | null {
    const given = attribute(element, "role");
    const explicit = given?.split(/\s+/).find((each) => KNOWN.test(each)) ?? null;
    if (explicit === "none" || explicit === "presentation") return keepsRole(element) ? implicitRole(element) : explicit;
    return explicit ?? inheritedPresentation(element) ?? implicitRole(element);
  }

  /** A list item of a presentational list is presentational too. */
  function inheritedPresentation(element: Element): string | null {
    let allowed = PARENTS[tagName(element)];
    for (let parent = parentElement(element); parent && allowed?.split(",").includes(tagName(parent)); parent = parentElement(parent)) {
      const role = attribute(parent, "role");
      if ((role === "none" || role === "presentation") && !keepsRole(parent)) return role;
      allowed = PARENTS[tagName(parent)];
    }
    return null;
  }

  /** Left out by assistive technology: not rendered, not visible, or `aria-hidden`. */
  function isHiddenForAria(element: Element): boolean {
    const tag = tagName(element);
    if (/^(STYLE|SCRIPT|NOSCRIPT|TEMPLATE)$/.test(tag)) return true;
    if (tag !== "SLOT" && dom.isShown(element)) return closest(element, '[aria-hidden="true" i]') !== null; // it is rendered, so everything around it is
    if (styleOf(element).display === "contents" && tag !== "SLOT") {
      const shows = [...dom.childNodes(element)].some((child) =>
        dom.isElement(child) ? !isHiddenForAria(child) : child.nodeType === 3 && dom.normal(child.nodeValue ?? "") !== "",
      );
      if (!shows) return true;
    } else if (tag !== "SLOT" && !(tag === "OPTION" && closest(element, "select"))) return true;
    return isUnderHidden(element);
  }

  function isUnderHidden(element: Element): boolean {
    for (let each: Element | null = element; each; each = parentElement(each)) {
      const parent = parentElement(each);
      if (parent && dom.parentNode(each) === parent && dom.shadowRoot(parent) && !dom.assignedSlot(each)) return true; // not slotted: not rendered
      if (attribute(each, "aria-hidden")?.toLowerCase() === "true" || styleOf(each).display === "none") return true;
    }
    return false;
  }

  /** Disabled by itself, by its fieldset or option group, or by `aria-disabled` above it. */
  function isDisabled(element: Element): boolean {
    if (dom.matches(element, ":disabled")) return true;
    for (let each: Element | null = element; each; each = parentElement(each)) {
      const value = attribute(each, "aria-disabled")?.toLowerCase();
      if (value === "true") return true;
      if (value === "false") return false;
    }
    return false;
  }

  const isInput = (element: Element, types: RegExp): boolean =>
    tagName(element) === "INPUT" && types.test((element as HTMLInputElement).type);
  const flag = (element: Element, name: string): boolean | "mixed" => {
    const value = attribute(element, name);
    return value === "mixed" ? "mixed" : value === "true";
  };

  const states = {
    checked(element: Element, role: string): boolean | "mixed" {
      if (isInput(element, /^(checkbox|radio)$/)) {
        const input = element as HTMLInputElement;
        return input.type === "checkbox" && input.indeterminate ? "mixed" : input.checked;
      }
      return /^(checkbox|menuitemcheckbox|menuitemradio|option|radio|switch|treeitem)$/.test(role) && flag(element, "aria-checked");
    },
    pressed: (element: Element, role: string): boolean | "mixed" => role === "button" && flag(element, "aria-pressed"),
    selected(element: Element, role: string): boolean {
      if (tagName(element) === "OPTION") return (element as HTMLOptionElement).selected;
      return /^(gridcell|option|row|tab|rowheader|columnheader|treeitem)$/.test(role) && attribute(element, "aria-selected") === "true";
    },
    expanded(element: Element): boolean | undefined {
      if (tagName(element) === "DETAILS") return (element as HTMLDetailsElement).open;
      const value = attribute(element, "aria-expanded");
      return value === null ? undefined : value === "true";
    },
    disabled: (element: Element): boolean => isDisabled(element),
    level(element: Element, role: string): number {
      const native = /^H([1-6])$/.exec(tagName(element))?.[1];
      if (native) return Number(native);
      const value = Number(attribute(element, "aria-level"));
      return /^(heading|listitem|row|treeitem)$/.test(role) && Number.isInteger(value) && value >= 1 ? value : 0;
    },
  };

  return { roleOf, candidates, isHiddenForAria, isDisabled, states, isInput };
}

export type Roles = ReturnType<typeof createRoles>;
