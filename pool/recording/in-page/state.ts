/** What an element shows beside its markup: values, scroll positions, style sheets. Runs in the page. */
import type { Nodes } from "./nodes.ts";

export function createState(nodes: Nodes) {
  /** Elements with state of their own kind. Most of a page are others, which are asked only for what any element may have. */
  const STATEFUL = new Set("INPUT TEXTAREA OPTION IMG IFRAME FRAME CANVAS DIALOG STYLE style HEAD HTML BODY".split(" "));
  const SECRET_HINT = /password|one-time-code|cc-number|cc-csc/;
  const MAX_CANVAS_PIXELS = 2_000_000;
  const MAX_CANVAS_CHARS = 300_000;
  const frameIds = new WeakMap<Element, string>();
  /** Fields whose value must not be shown: what once was a password stays one, also where a page then shows it as text. */
  const secretFields = new WeakSet<Element>();
  const scrolled = new Set<Element>();
  const canvases = new WeakMap<Element, string>();
  /** Those for which there was no time, longest first: the next moment begins with them, else the last of a page might never be shown. */
  const overdue = new Set<HTMLCanvasElement>();
  const readAt = new WeakMap<Element, number>();
  const blanks = new Map<string, string>();
  let canvasMsLeft = 0;
  const sheets = new WeakMap<CSSStyleSheet, { moment: number; text: string; version: number }>();
  let moment = 0;
  let versions = 0;

  addEventListener(
    "scroll",
    ({ target }) => {
      const element = target === document ? nodes.scrollerOf(document) : target;
      if (element instanceof Element) scrolled.add(element);
    },
    { capture: true, passive: true },
  );

  /** The rules as text; "" for a sheet of another origin, which keeps them to itself. */
  function readSheet(sheet: CSSStyleSheet): string {
    try {
      return sheet.disabled ? "" : [...sheet.cssRules].map((rule) => rule.cssText).join("\n");
    } catch {
      return "";
    }
  }
  /** Read once a moment, however many share it; `version` is another when the text is. */
  function sheetOf(sheet: CSSStyleSheet): { text: string; version: number } {
    const known = sheets.get(sheet);
    if (known?.moment === moment) return known;
    const text = readSheet(sheet);
    if (known?.text !== text) versions += 1;
    const read = { moment, text, version: known?.text === text ? known.version : versions };
    sheets.set(sheet, read);
    return read;
  }
  function ruleCount(sheet: CSSStyleSheet | null): number {
    try {
      return sheet ? sheet.cssRules.length : -1;
    } catch {
      return -1;
    }
  }
  const adopted = (root: Document | ShadowRoot) =>
    nodes
      .adoptedBy(root)
      .map((sheet) => sheetOf(sheet).version)
      .join();

  function isSecret(field: HTMLInputElement | HTMLTextAreaElement): boolean {
    if (secretFields.has(field)) return true;
    if (field.type !== "password" && !SECRET_HINT.test(field.autocomplete)) return false;
    secretFields.add(field);
    return true;
  }
  const shownValue = (field: HTMLInputElement | HTMLTextAreaElement): string => (field.type === "file" ? "" : field.value);

  /** What is drawn, as a data URL; "" where it cannot be read, is empty, or there is no time left for this moment. */
  function canvasPicture(canvas: HTMLCanvasElement): string {
    const { width, height } = canvas;
    if (width * height === 0 || width * height > MAX_CANVAS_PIXELS) return "";
    if (readAt.get(canvas) === moment || nodes.rect(canvas).width === 0) return canvases.get(canvas) ?? ""; // one that is not shown takes no time from others
    if (canvasMsLeft <= 0) {
      overdue.add(canvas);
      return canvases.get(canvas) ?? "";
    }
    overdue.delete(canvas);
    readAt.set(canvas, moment);
    const began = performance.now();
    let picture = "";
    try {
      const size = `${width}x${height}`;
      if (!blanks.has(size))
        blanks.set(size, Object.assign(document.createElement("canvas"), { width, height }).toDataURL("image/webp", 0.6));
      const drawn = canvas.toDataURL("image/webp", 0.6);
      if (drawn !== blanks.get(size) && drawn.length <= MAX_CANVAS_CHARS) picture = drawn; // what WebGL has presented reads as empty
    } catch {} // tainted by a picture of another origin
    canvasMsLeft -= performance.now() - began;
    canvases.set(canvas, picture);
    return picture;
  }

  const isPopover = (element: Element): boolean => nodes.hasAttribute(element, "popover") && element instanceof HTMLElement;

  /** What no MutationObserver reports, as a text to compare; undefined where there is nothing of the kind. */
  function hidden(element: Element): string | undefined {
    const name = nodes.name(element);
    return STATEFUL.has(name) ? hiddenOf(element, name) : hiddenOfAny(element);
  }

  function hiddenOf(element: Element, name: string): string | undefined {
    switch (name) {
      case "INPUT": {
        const input = element as HTMLInputElement;
        return `${input.checked}|${input.type}|${shownValue(input)}`;
      }
      case "TEXTAREA":
        return (element as HTMLTextAreaElement).value;
      case "OPTION":
        return String((element as HTMLOptionElement).selected);
      case "IMG":
        return (element as HTMLImageElement).currentSrc;
      case "IFRAME":
      case "FRAME":
        return `${rectText(element)}${frameIds.get(element) ?? ""}`;
      case "CANVAS":
        return `${rectText(element)}${canvasPicture(element as HTMLCanvasElement)}`;
      case "DIALOG":
        return dialogState(element as HTMLDialogElement);
      case "STYLE":
      case "style":
        return `${ruleCount((element as HTMLStyleElement).sheet)}${(element as HTMLStyleElement).disabled}`;
      case "HEAD":
        return nodes.baseUri(document);
      case "HTML":
        return `${nodes.scrollTop(element)},${nodes.scrollLeft(element)},${adopted(document)}`;
      case "BODY":
        return `${nodes.scrollTop(element)},${nodes.scrollLeft(element)}`;
      default:
        return undefined;
    }
  }

  function hiddenOfAny(element: Element): string | undefined {
    let state: string | undefined;
    if (isPopover(element)) state = `p${nodes.matches(element, ":popover-open")}`;
    const shadow = nodes.shadowRoot(element);
    if (shadow) state = `${state ?? ""}s${adopted(shadow)}`;
    else if (nodes.localName(element).includes("-")) state = `${state ?? ""}d${nodes.matches(element, ":defined")}`;
    if (scrolled.has(element)) state = `${state ?? ""}c${nodes.scrollTop(element)},${nodes.scrollLeft(element)}`;
    return state;
  }

  function rectText(element: Element): string {
    const { left, top, right, bottom } = nodes.rect(element);
    return JSON.stringify({ left, top, right, bottom });
  }
  const dialogState = (dialog: HTMLDialogElement): string => (dialog.open ? (nodes.matches(dialog, ":modal") ? "modal" : "true") : "");

  return {
    STATEFUL,
    frameIds,
    secretFields,
    scrolled,
    sheetOf,
    ruleCount,
    isSecret,
    shownValue,
    canvasPicture: (canvas: Element) => canvases.get(canvas) ?? "",
    hidden,
    isPopover,
    rectText,
    dialogState,
    /** A moment begins: so much of it may go into reading canvases. */
    begin(canvasMs: number) {
      moment += 1;
      canvasMsLeft = canvasMs;
      if (canvasMs === 0) return;
      const first = [...overdue];
      overdue.clear();
      for (const canvas of first) canvasPicture(canvas);
    },
  };
}

export type State = ReturnType<typeof createState>;
