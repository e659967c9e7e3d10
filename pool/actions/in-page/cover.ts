/**
 * Covers secrets while a picture is taken: fields become black boxes by an animation, ranges of text by a highlight. Neither is a change of
 * the document: nothing moves, no observer of the page hears of it. Runs in the page.
 */
import type { Dom } from "./dom.ts";
import type { Edit } from "./edit.ts";

/** Index of a text, and the part of it. */
export type CoverRange = [index: number, start: number, end: number];
/** `hidden`: how many fields are to be covered whatever they hold. */
export type PageTexts = { texts: string[]; fields: string[]; hidden: number };

export function createCover(dom: Dom, edit: Edit) {
  const NAME = "understudy-cover";
  const SILENT = /^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE|TITLE|HEAD)$/;
  /** What shows a text that is no node: a picture that did not come shows its alternative. */
  const FIELDS = "input, textarea, select, img[alt]";
  const MAX_TEXTS = 50_000;
  let nodes: Text[] = [];
  let fields: Element[] = [];
  let undo: (() => void)[] = [];
  /** What is covered now: texts with what they said then, black boxes, and boxes that are blank whatever is written into them. */
  const coveredTexts = new Map<Node, string | null>();
  const blackBoxes = new Set<Element>();
  const blankBoxes = new Set<Element>();

  const hiddenFields = () => {
    const found = dom.trees().flatMap((tree) => [...dom.queryAll(tree, "input")].filter(edit.isHidden));
    return [...new Set([...found, ...edit.secretFields])].filter(dom.isConnected);
  };

  /**
   * What can be read in the page, in its order: texts one by one, and what fields show. Without `all` only the number of fields to cover.
   * `bare`: only what is not covered now, as what came, or came to say something else, since.
   */
  function texts({ all, bare = false }: { all: boolean; bare?: boolean }): PageTexts {
    const isCovered = (node: Node) => bare && (coveredTexts.get(node) === node.nodeValue || isBlank(node));
    const isBoxed = (field: Element) => bare && blackBoxes.has(field);
    nodes = [];
    fields = [];
    for (const tree of all ? dom.trees() : []) {
      const walker = dom.walker(document, tree, NodeFilter.SHOW_TEXT);
      while (walker.nextNode() && nodes.length < MAX_TEXTS) {
        const parent = dom.parentNode(walker.currentNode);
        if (!(dom.isElement(parent) && SILENT.test(dom.tagName(parent))) && !isCovered(walker.currentNode))
          nodes.push(walker.currentNode as Text);
      }
      fields.push(...[...dom.queryAll(tree, FIELDS)].filter((field) => !isBoxed(field)));
    }
    const hidden = hiddenFields().filter((field) => !isBoxed(field)).length;
    return { texts: nodes.map((node) => node.nodeValue ?? ""), fields: fields.map(shownIn), hidden };
  }

  /** The element whose box the text is drawn in. */
  function boxOf(text: Node): Element | null {
    const parent = dom.parentNode(text);
    let box = parent instanceof ShadowRoot ? parent.host : dom.isElement(parent) ? parent : null;
    while (box && dom.styleOf(box).display === "contents") box = dom.parentElement(box);
    return box;
  }
  function isBlank(text: Node): boolean {
    const box = blankBoxes.size > 0 ? boxOf(text) : null;
    return box !== null && blankBoxes.has(box);
  }

  function shownIn(field: Element): string {
    if (dom.tagName(field) === "IMG") return dom.attribute(field, "alt") ?? "";
    if (dom.tagName(field) === "SELECT") return [...(field as HTMLSelectElement).selectedOptions].map(({ label }) => label).join(" ");
    const { value, placeholder } = field as HTMLInputElement;
    return value || placeholder || "";
  }

  /**
   * Covers these, and every field that hides what it holds. False: the page does not let them be covered. `boxes`: the texts' whole elements are
   * blank, for a page that writes them anew all the time. (Black ones would show, black on white, what is wider than its box.)
   */
  function cover({ ranges, fields: given, boxes }: { ranges: CoverRange[]; fields: number[]; boxes: boolean }): boolean {
    uncover();
    const these = new Set([...hiddenFields(), ...given.flatMap((index) => fields[index] ?? [])]);
    const covered = [...these].map(blacken).every((each) => each);
    return (boxes ? blankTexts(ranges) : coverTexts(ranges)) && covered;
  }

  const GONE = { opacity: "0", clipPath: "inset(100%)" };
  const isGone = ({ opacity, clipPath }: CSSStyleDeclaration) => opacity === GONE.opacity || clipPath === GONE.clipPath;

  function blankTexts(ranges: CoverRange[]): boolean {
    const texts = new Set(ranges.flatMap(([index]) => nodes[index] ?? []).filter(dom.isConnected));
    for (const box of [...texts].map(boxOf)) if (box) blankBoxes.add(box);
    return [...blankBoxes].map((box) => hold(box, GONE, isGone)).every((each) => each);
  }

  function blacken(element: Element): boolean {
    blackBoxes.add(element);
    const black = { backgroundColor: "rgb(0, 0, 0)", filter: "brightness(0)" };
    const isBlack = ({ backgroundColor, filter }: CSSStyleDeclaration) =>
      backgroundColor === black.backgroundColor && filter === black.filter;
    return hold(element, black, isBlack) || hold(element, GONE, isGone);
  }

  /** An important rule of the page's is stronger than an animation: it is seen whether it took. */
  function hold(element: Element, look: Keyframe, took: (style: CSSStyleDeclaration) => boolean): boolean {
    const animation = dom.animate(element, [look, look], { duration: 1e9, fill: "both" });
    animation.pause();
    undo.push(() => animation.cancel());
    return took(dom.styleOf(element));
  }

  function coverTexts(ranges: CoverRange[]): boolean {
    if (ranges.length === 0) return true;
    const made = ranges.flatMap(([index, start, end]) => {
      const node = nodes[index];
      if (!node || !dom.isConnected(node)) return [];
      const range = dom.range(document);
      range.setStart(node, Math.min(start, node.length));
      range.setEnd(node, Math.min(end, node.length));
      coveredTexts.set(node, node.nodeValue);
      return [range];
    });
    CSS.highlights.set(NAME, new Highlight(...made));
    undo.push(() => void CSS.highlights.delete(NAME));
    const sheet = new CSSStyleSheet();
    const clear = "transparent !important";
    sheet.replaceSync(
      `::highlight(${NAME}) { color: ${clear}; -webkit-text-fill-color: ${clear}; -webkit-text-stroke-color: ${clear}; fill: ${clear};
        text-shadow: none !important; text-decoration: none !important; background-color: black !important }`,
    );
    for (const root of new Set(made.map(({ startContainer }) => dom.rootOf(startContainer) as Document | ShadowRoot))) {
      dom.setSheets(root, [...dom.sheetsOf(root), sheet]);
      undo.push(() =>
        dom.setSheets(
          root,
          [...dom.sheetsOf(root)].filter((each) => each !== sheet),
        ),
      );
    }
    const parents = new Set(made.map(({ startContainer }) => dom.parentNode(startContainer)).filter(dom.isElement));
    return [...parents].map(flatten).every((each) => each);
  }

  /** A shadow and a thick outline of letters are painted outside of the box that a highlight covers. */
  const flatten = (element: Element): boolean =>
    hold(element, { textShadow: "none", webkitTextStrokeWidth: "0px" } as Keyframe, ({ textShadow }) => textShadow === "none") ||
    blacken(element);

  function uncover(): void {
    for (const each of undo.reverse()) each();
    undo = [];
    coveredTexts.clear();
    blackBoxes.clear();
    blankBoxes.clear();
  }

  return { texts, cover, uncover };
}
