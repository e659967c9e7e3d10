/** Accessible names and descriptions (https://w3c.github.io/accname/), in the reading that Playwright made common. Runs in the page. */
import type { Dom } from "./dom.ts";
import type { Roles } from "./roles.ts";

export function createNames(dom: Dom, roles: Roles) {
  const { attribute, hasAttribute, tagName, styleOf } = dom;
  const NEVER =
    /^(caption|code|definition|deletion|emphasis|generic|insertion|mark|paragraph|presentation|none|strong|subscript|suggestion|superscript|term|time)$/;
  const BY_CONTENT =
    /^(button|cell|checkbox|columnheader|gridcell|heading|link|menuitem|menuitemcheckbox|menuitemradio|option|radio|row|rowheader|switch|tab|tooltip|treeitem)$/;
  const BY_CONTENT_WITHIN =
    /^(|caption|code|contentinfo|definition|deletion|emphasis|insertion|list|listitem|mark|none|paragraph|presentation|region|row|rowgroup|section|strong|subscript|superscript|table|term|time)$/;

  /** Where the walk is: on the element itself, below it, in a label or in what `aria-labelledby` names. */
  type Walk = {
    at: "self" | "below";
    via: "content" | "label" | "labelledby";
    hiddenToo: boolean;
    owner: Element | null;
    seen: Set<Element>;
  };

  function nameOf(element: Element, hiddenToo = false): string {
    if (NEVER.test(roles.roleOf(element) ?? "")) return "";
    return dom.normal(alternative(element, { at: "self", via: "content", hiddenToo, owner: element, seen: new Set() }));
  }

  function descriptionOf(element: Element): string {
    const named = referenced(element, "aria-describedby");
    if (named.length > 0) return dom.normal(named.map((each) => alternative(each, into(each, "labelledby", element, new Set()))).join(" "));
    return dom.normal(attribute(element, "aria-description") ?? attribute(element, "title") ?? "");
  }

  /** A walk that follows a reference: what is hidden counts when the reference itself points at something hidden. */
  function into(target: Element, via: "label" | "labelledby", owner: Element | null, seen: Set<Element>): Walk {
    return { at: "self", via, hiddenToo: roles.isHiddenForAria(target), owner, seen };
  }

  function referenced(element: Element, name: string): Element[] {
    const value = attribute(element, name);
    if (value === null) return [];
    const ids = value.split(/\s+/).filter(Boolean);
    const root = dom.rootOf(element);
    return root instanceof Document || root instanceof ShadowRoot ? [...new Set(ids.flatMap((id) => dom.byId(root, id) ?? []))] : [];
  }

  /** A tree deeper than this is no name; the stack has an end. */
  const MAX_DEPTH = 300;
  let depth = 0;
  function alternative(element: Element, walk: Walk): string {
    if (depth > MAX_DEPTH) return dom.textContent(element);
    depth += 1;
    try {
      return alternativeOf(element, walk);
    } finally {
      depth -= 1;
    }
  }

  function alternativeOf(element: Element, walk: Walk): string {
    const { seen } = walk;
    if (seen.has(element)) return "";
    if (!walk.hiddenToo && roles.isHiddenForAria(element)) {
      seen.add(element);
      return "";
    }
    if (walk.via !== "labelledby") {
      const texts = referenced(element, "aria-labelledby").map((each) =>
        alternative(each, into(each, "labelledby", element, new Set(seen))),
      );
      const text = texts.join(" ");
      if (text.trim()) return text;
    }
    const role = roles.roleOf(element) ?? "";
    const presentational = role === "none" || role === "presentation";
    if (walk.via !== "content" || walk.at === "below") {
      const value = embeddedValue(element, role, walk);
      if (value !== null) return value;
    }
    const label = attribute(element, "aria-label")?.trim();
    if (label) {
      seen.add(element);
      return label;
    }
    if (!presentational) {
      const own = nativeName(element, walk);
      if (own !== null) return own;
    }
    const tag = tagName(element);
    const byContent = BY_CONTENT.test(role) || (walk.at === "below" && BY_CONTENT_WITHIN.test(role));
    if (byContent || (tag === "SUMMARY" && !presentational) || walk.via !== "content") {
      seen.add(element);
      const text = content(element, { ...walk, at: "below" });
      if (walk.at === "self" ? text.trim() : text) return text;
    }
    seen.add(element);
    return !presentational || tag === "IFRAME" ? (attribute(element, "title") ?? "") : "";
  }

  /** A control inside a label or another element's name counts with its value. */
  function embeddedValue(element: Element, role: string, { owner, seen }: Walk): string | null {
    if (
      element === owner ||
      (owner &&
        referenced(owner, "aria-labelledby").includes(element) &&
        !/^(textbox|searchbox|combobox|listbox|slider|spinbutton)$/.test(role))
    )
      return null;
    const value = (element as HTMLInputElement).value;
    if (role === "textbox" || role === "searchbox") {
      seen.add(element);
      return /^(INPUT|TEXTAREA)$/.test(tagName(element)) ? value : dom.textContent(element);
    }
    if (role === "combobox" || role === "listbox") {
      seen.add(element);
      if (tagName(element) === "SELECT")
        return [...(element as HTMLSelectElement).selectedOptions].map((each) => content(each, fresh(seen))).join(" ");
      if (tagName(element) === "INPUT") return value;
      const chosen = [...dom.queryAll(element, '[role="option"][aria-selected="true"]')];
      return chosen.map((each) => content(each, fresh(seen))).join(" ");
    }
    if (/^(progressbar|scrollbar|slider|spinbutton|meter)$/.test(role)) {
      seen.add(element);
      return attribute(element, "aria-valuetext") ?? attribute(element, "aria-valuenow") ?? attribute(element, "value") ?? value ?? "";
    }
    if (role !== "menu") return null;
    seen.add(element);
    return "";
  }
  const fresh = (seen: Set<Element>): Walk => ({ at: "below", via: "content", hiddenToo: false, owner: null, seen });

  /** Without an id only a label around it can be one: to ask for the list makes the browser walk through the whole document. */
  const labelsOf = (element: Element): HTMLLabelElement[] =>
    hasAttribute(element, "id") || dom.closestIn(element, "label") !== null ? [...((element as HTMLInputElement).labels ?? [])] : [];

  /** What HTML itself gives as a name: labels, `alt`, captions. null: nothing that would settle it. */
  function nativeName(element: Element, walk: Walk): string | null {
    const tag = tagName(element);
    const title = attribute(element, "title") ?? "";
    const done = (text: string) => {
      walk.seen.add(element);
      return text;
    };
    if (roles.isInput(element, /^(button|submit|reset)$/)) {
      const { value, type } = element as HTMLInputElement;
      return done(value.trim() ? value : type === "submit" ? "Submit" : type === "reset" ? "Reset" : title);
    }
    if (/^(INPUT|SELECT|TEXTAREA|BUTTON|OUTPUT|METER|PROGRESS)$/.test(tag)) {
      const labels = labelsOf(element);
      if (labels.length > 0 && walk.via !== "labelledby") {
        walk.seen.add(element);
        const texts = labels.map((each) =>
          alternative(each, { ...into(each, "label", element, new Set(walk.seen)), hiddenToo: walk.hiddenToo }),
        );
        const text = texts.filter(Boolean).join(" ");
        if (text.trim() || tag !== "BUTTON") return text;
      }
      if (roles.isInput(element, /^image$/)) return done(attribute(element, "alt")?.trim() || title.trim() || "Submit");
      if (roles.isInput(element, /^file$/)) return done("Choose File");
      if (/^(BUTTON|OUTPUT|METER|PROGRESS)$/.test(tag)) return null;
      const placeholder =
        tag === "TEXTAREA" || roles.isInput(element, /^(text|password|search|tel|email|url)$/)
          ? (attribute(element, "placeholder") ?? "")
          : "";
      return done(title.trim() ? title : placeholder);
    }
    const ofChild = (child: string): string | null => {
      const found = [...dom.children(element)].find((each) => tagName(each) === child);
      return found ? alternative(found, { ...fresh(walk.seen), via: "label" }) : null;
    };
    switch (tag) {
      case "FIELDSET":
        return done(ofChild("LEGEND") ?? title);
      case "FIGURE":
        return done(ofChild("FIGCAPTION") ?? title);
      case "TABLE":
        return done(ofChild("CAPTION") ?? (attribute(element, "summary") || title));
      case "IMG":
      case "AREA":
        return done(attribute(element, "alt") || title);
      case "SVG": {
        const name = [...dom.children(element)].find((each) => tagName(each) === "TITLE")?.textContent;
        return name ? done(name) : null;
      }
      default:
        return null;
    }
  }

  /** The text below: blocks are set off by spaces, generated content counts. */
  function content(element: Element, walk: Walk): string {
    let text = generated(element, "::before");
    const add = (node: Node) => {
      if (node.nodeType === 3) text += node.nodeValue ?? "";
      else if (dom.isElement(node)) {
        const part = alternative(node, walk);
        text += styleOf(node).display === "inline" && tagName(node) !== "BR" ? part : ` ${part} `;
      }
    };
    const slotted = tagName(element) === "SLOT" ? (element as HTMLSlotElement).assignedNodes() : [];
    if (slotted.length > 0) for (const node of slotted) add(node);
    else {
      for (const node of dom.childNodes(element)) {
        if (!((dom.isElement(node) || node.nodeType === 3) && dom.assignedSlot(node as Element))) add(node);
      }
      const shadow = dom.shadowRoot(element);
      if (shadow) for (const node of dom.childNodes(shadow)) add(node);
      if (hasAttribute(element, "aria-owns")) for (const owned of referenced(element, "aria-owns")) add(owned);
    }
    return text + generated(element, "::after");
  }

  function generated(element: Element, pseudo: "::before" | "::after"): string {
    const style = getComputedStyle(element, pseudo);
    if (!style || style.content === "none" || style.content === "normal" || style.display === "none" || style.visibility !== "visible")
      return "";
    const { content: value, display } = style;
    const alt = /\/\s*("(?:\\.|[^"\\])*")\s*$/.exec(value)?.[1];
    const strings = alt ? [alt] : (value.match(/"(?:\\.|[^"\\])*"/g) ?? []);
    const text = strings.map((each) => each.slice(1, -1).replace(/\\(.)/g, "$1")).join("");
    return text === "" ? "" : display === "inline" ? text : ` ${text} `;
  }

  return { nameOf, descriptionOf };
}

export type Names = ReturnType<typeof createNames>;
