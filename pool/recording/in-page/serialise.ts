/**
 * A document as the viewer's snapshot nodes, in JSON: `"text"`, `["TAG",{attributes},…children]`, or `[[n,i]]` for node i of the n-th
 * snapshot back. Nodes written in full are numbered children first. Runs in the page; it returns text, so that nobody walks the tree again.
 */
import type { Nodes } from "./nodes.ts";
import type { State } from "./state.ts";

export type Memory = {
  /** Where a node was last written in full. */
  refs: WeakMap<Node, { moment: number; index: number }>;
  /** Nodes that changed since then, and all above them. */
  stale: WeakSet<Node>;
  /** Nodes with state that no observer reports, and that state when it was last written. */
  watched: Map<Element, string>;
  /** Where the text of an adopted sheet was last written. */
  sheets: WeakMap<CSSStyleSheet, { moment: number; index: number; version: number }>;
  /** Names of custom elements. */
  defined: Set<string>;
};
export type Target = { callId: string; elements: Set<Element> };

export function createSerialise(nodes: Nodes, state: State, observe: (root: ShadowRoot) => void) {
  const HIDDEN_VALUE = "••••••••";
  const LEFT_OUT_LINKS = /^(preload|prefetch|modulepreload|preconnect|dns-prefetch)$/i;
  const LEFT_OUT_METAS = /^(content-security-policy|refresh|set-cookie)$/i;
  /** What the viewer may define, or it breaks; a page's own names in other alphabets stay undefined there. */
  const CUSTOM_NAME = /^[a-z][a-z0-9._-]*-[a-z0-9._-]*$/;
  const OTHER_NAMES = /^(annotation-xml|color-profile|font-face(-src|-uri|-format|-name)?|missing-glyph)$/;
  const MAY_BE_LEFT_OUT = new Set("SCRIPT NOSCRIPT LINK META IFRAME FRAME".split(" "));
  const TOO_LARGE = new Error("The snapshot is too large");
  const harmless = (url: string) => (/^\s*(javascript|vbscript):/i.test(url) ? "" : url);

  /** `note` hears the values of fields that are not to be shown. Null when it would be longer than `maxChars`, found out on the way. */
  return function serialise(
    memory: Memory,
    moment: number,
    target: Target,
    note: (secret: string) => void,
    maxChars: number,
  ): string | null {
    const { refs, stale, watched } = memory;
    let counter = 0;
    let charsLeft = maxChars;
    const counted = (json: string): string => {
      charsLeft -= json.length;
      if (charsLeft < 0) throw TOO_LARGE;
      return json;
    };
    const jsonOf = (text: string): string => {
      if (text.length > charsLeft) throw TOO_LARGE;
      return counted(JSON.stringify(text));
    };
    const number = (node: Node | null) => {
      const index = counter++;
      if (node === null) return;
      refs.set(node, { moment, index });
      stale.delete(node);
    };
    const reference = (node: Node): string | null => {
      const ref = refs.get(node);
      return ref && !stale.has(node) ? counted(`[[${moment - ref.moment},${ref.index}]]`) : null;
    };

    function isLeftOut(element: Element, name: string, inHead: boolean): boolean {
      if (name === "SCRIPT" || name === "NOSCRIPT") return true;
      if (name === "LINK") return LEFT_OUT_LINKS.test((element as HTMLLinkElement).rel);
      if (name === "META") return LEFT_OUT_METAS.test((element as HTMLMetaElement).httpEquiv);
      return inHead && (name === "IFRAME" || name === "FRAME");
    }

    function visit(node: Node, inHead: boolean): string | null {
      const type = nodes.type(node);
      if (type === 3) {
        const known = reference(node);
        if (known) return known;
        number(node);
        return jsonOf(nodes.text(node) ?? "");
      }
      if (type === 11) return reference(node) ?? shadowTemplate(node as ShadowRoot);
      if (type !== 1) return null;
      const element = node as Element;
      const name = nodes.name(element);
      if (MAY_BE_LEFT_OUT.has(name) && isLeftOut(element, name, inHead)) return null;
      return reference(element) ?? whole(element, name, inHead);
    }

    function children(parent: Node, inHead: boolean): string {
      let text = "";
      for (let child = nodes.firstChild(parent); child; child = nodes.nextSibling(child)) {
        const each = visit(child, inHead);
        if (each !== null) text += `,${each}`;
      }
      return text;
    }

    function sheets(root: Document | ShadowRoot): string {
      return nodes
        .adoptedBy(root)
        .map((sheet) => {
          const { text, version } = state.sheetOf(sheet);
          const known = memory.sheets.get(sheet);
          if (known?.version === version) return counted(`,[[${moment - known.moment},${known.index}]]`);
          memory.sheets.set(sheet, { moment, index: counter, version });
          number(null);
          return `,["template",{"__playwright_style_sheet_":${jsonOf(text)}}]`;
        })
        .join("");
    }

    function shadowTemplate(root: ShadowRoot): string {
      observe(root);
      const content = children(root, false) + sheets(root);
      number(root);
      return `["template",{"__playwright_shadow_root_":"open"}${content}]`;
    }

    function whole(element: Element, name: string, inHead: boolean): string {
      const hidden = state.hidden(element);
      if (hidden !== undefined) watched.set(element, hidden);
      if (name === "STYLE" || name === "style") return styleElement(element as HTMLStyleElement, name);
      const attributes = markup(element, name);
      addShownState(attributes, element, name);
      if (target.elements.has(element)) attributes.__playwright_target__ = target.callId;
      const picture = name === "CANVAS" ? state.canvasPicture(element) : "";
      if (picture) return canvasAsImage(element, attributes, picture);
      let content = "";
      const shadow = nodes.shadowRoot(element);
      if (shadow) content += `,${visit(shadow, inHead)}`;
      if (name === "HEAD") {
        number(null);
        content += `,${JSON.stringify(["BASE", { href: nodes.baseUri(document) }])}`; // else relative addresses lead to the viewer
      }
      content += children(element, inHead || name === "HEAD");
      if (element === root) content += sheets(document);
      if (isCustom(element) && nodes.matches(element, ":defined")) memory.defined.add(nodes.localName(element));
      if (name === "BODY" && memory.defined.size > 0) attributes.__playwright_custom_elements__ = [...memory.defined].join(",");
      number(element);
      const json = counted(JSON.stringify(attributes));
      return content || json !== "{}" ? `[${JSON.stringify(name)},${json}${content}]` : `[${JSON.stringify(name)}]`;
    }

    function isCustom(element: Element): boolean {
      const local = nodes.localName(element);
      if (!local.includes("-") || nodes.namespace(element) !== "http://www.w3.org/1999/xhtml") return false;
      return CUSTOM_NAME.test(local) && !OTHER_NAMES.test(local);
    }

    /** The viewer takes its text only as it stands here, never by reference. Rules that script changed are read from the sheet. */
    function styleElement(element: HTMLStyleElement, name: string): string {
      let text = nodes.text(element) ?? "";
      if (!rulesAreAsWritten(element, text)) text = state.sheetOf(element.sheet as CSSStyleSheet).text || text;
      if (element.sheet?.disabled) text = "";
      number(null); // the text
      number(element);
      return `[${JSON.stringify(name)},${counted(JSON.stringify(markup(element, name)))},${jsonOf(text)}]`;
    }

    /** Parsing the markup once more is the only test that needs no hook in the page. */
    function rulesAreAsWritten(element: HTMLStyleElement, text: string): boolean {
      const count = state.ruleCount(element.sheet);
      if (count < 0 || refs.has(element)) return count < 0;
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      return sheet.cssRules.length + (text.match(/@import/g)?.length ?? 0) === count;
    }

    function canvasAsImage(canvas: Element, attributes: Record<string, string>, picture: string): string {
      const { width, height } = nodes.rect(canvas);
      number(canvas);
      const style = `${attributes.style ?? ""};width:${width}px;height:${height}px`;
      return counted(JSON.stringify(["IMG", { ...attributes, style, src: picture }]));
    }

    function markup(element: Element, name: string): Record<string, string> {
      const kept: Record<string, string> = {};
      if (!nodes.hasAttributes(element)) return kept;
      const isFrame = name === "IFRAME" || name === "FRAME";
      const isHidden = (name === "INPUT" || name === "TEXTAREA") && state.isSecret(element as HTMLInputElement);
      for (const { name: attribute, value } of nodes.attributes(element)) {
        if (/^__playwright_/i.test(attribute)) continue; // has a meaning for the viewer, whoever wrote it
        if (isFrame && /^(src|srcdoc|sandbox)$/.test(attribute)) continue;
        if (name === "LINK" && /^(integrity|crossorigin)$/.test(attribute)) continue;
        if (name === "DIALOG" && attribute === "open") continue;
        if (isHidden && attribute === "value") continue;
        if (attribute.startsWith("on")) kept[attribute] = "";
        else if (/^(src|href|action|formaction|xlink:href)$/.test(attribute)) kept[attribute] = harmless(value);
        else if (name === "META" && attribute === "charset") kept[attribute] = "utf-8";
        else if (name === "META" && attribute === "content" && /^content-type$/i.test((element as HTMLMetaElement).httpEquiv)) {
          kept[attribute] = "text/html; charset=utf-8";
        } else kept[attribute] = value;
      }
      return kept;
    }

    function addShownState(shown: Record<string, string>, element: Element, name: string): void {
      if (state.STATEFUL.has(name)) addOwnState(shown, element, name);
      if (state.isPopover(element) && nodes.matches(element, ":popover-open")) shown.__playwright_popover_open_ = "true";
      const top = nodes.scrollTop(element);
      const left = nodes.scrollLeft(element);
      if (top) shown.__playwright_scroll_top_ = String(top);
      if (left) shown.__playwright_scroll_left_ = String(left);
    }

    function addOwnState(shown: Record<string, string>, element: Element, name: string): void {
      if (name === "INPUT" || name === "TEXTAREA") {
        const field = element as HTMLInputElement;
        if (field.type === "checkbox" || field.type === "radio") shown.__playwright_checked_ = String(field.checked);
        const value = state.shownValue(field);
        const isHidden = state.isSecret(field);
        if (isHidden && value !== "") note(value);
        shown.__playwright_value_ = isHidden && value !== "" ? HIDDEN_VALUE : value;
      }
      if (name === "OPTION") shown.__playwright_selected_ = String((element as HTMLOptionElement).selected);
      if (name === "IMG" && (element as HTMLImageElement).currentSrc) {
        shown.__playwright_current_src__ = harmless((element as HTMLImageElement).currentSrc);
      }
      if (name === "IFRAME" || name === "FRAME" || name === "CANVAS") shown.__playwright_bounding_rect__ = state.rectText(element);
      if (name === "IFRAME" || name === "FRAME") {
        const frameId = state.frameIds.get(element);
        shown.src = frameId ? `/snapshot/${frameId}` : "";
      }
      const dialog = name === "DIALOG" ? state.dialogState(element as HTMLDialogElement) : "";
      if (dialog) shown.__playwright_dialog_open_ = dialog;
    }

    const root = nodes.documentElement(document);
    try {
      return (root && visit(root, false)) ?? '["HTML"]';
    } catch (error) {
      if (error !== TOO_LARGE) throw error;
      return null;
    }
  };
}
