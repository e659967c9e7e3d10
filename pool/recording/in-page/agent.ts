/** Takes snapshots of its document and follows its changes, so that what did not change since the last one costs a reference. Runs in the page. */
import type { Way } from "../../actions/in-page/look.ts";
import type { Nodes } from "./nodes.ts";
import type { createSerialise, Memory, Target } from "./serialise.ts";
import type { State } from "./state.ts";

/** In CSS pixels of the frame, or its way down the document; `focused` where input goes to the element that has the focus. */
export type Aimed = { x: number; y: number; box: { x: number; y: number; width: number; height: number } } | Way | "focused" | null;
export type CaptureRequest = {
  /** Write everything in full: what the last snapshots refer to may be lost. */
  whole: boolean;
  callId: string;
  aimed: Aimed;
  /** What is typed there must not be shown. */
  secret: boolean;
  /** Are canvases read? Else they are shown as they were when that was last done. */
  canvases: boolean;
  /** Longest html. */
  maxChars: number;
  /** Which values of password fields are told: so many at most, of such lengths. */
  values: { count: number; minChars: number; maxChars: number };
};
export type Moment = {
  doctype: string | null;
  viewport: { width: number; height: number };
  url: string;
  wallTime: number;
  collectionTime: number;
  /** Text of linked sheets that script has changed, or how many snapshots back that text was given. */
  overrides: { url: string; text?: string; ref?: number }[];
  /** Values of password fields, for whoever must keep them out of everything else. */
  secrets: string[];
};

export function createAgent(nodes: Nodes, state: State, makeSerialise: typeof createSerialise) {
  const CANVAS_MS = 12;
  const OBSERVED = { attributes: true, childList: true, characterData: true, subtree: true };
  const observed = new WeakSet<Node>();
  const sheets = new WeakMap<CSSStyleSheet, { count: number; changedAt: number | null }>();
  const blank = (): Memory => ({
    refs: new WeakMap(),
    stale: new WeakSet(),
    watched: new Map(),
    sheets: new WeakMap(),
    defined: new Set(),
  });
  let memory = blank();
  let target: Target = { callId: "", elements: new Set() };
  let moment = 0;

  /** The node may be one that is never written by itself, as the text of a style: those above it are always looked at too. */
  function markStale(node: Node): void {
    memory.stale.add(node);
    for (let each = nodes.parent(node); each && !memory.stale.has(each); each = nodes.parent(each)) memory.stale.add(each);
  }
  /** What was detached, changed and put back was out of the observer's sight. */
  function forget(node: Node): void {
    if (!memory.refs.delete(node)) return;
    const shadow = node instanceof Element ? nodes.shadowRoot(node) : null;
    if (shadow) forget(shadow);
    for (let child = nodes.firstChild(node); child; child = nodes.nextSibling(child)) forget(child);
  }
  function onChanges(changes: MutationRecord[]): void {
    for (const { target: changed, addedNodes } of changes) {
      markStale(changed);
      for (const added of addedNodes) forget(added);
    }
  }
  const observer = new MutationObserver(onChanges);
  function observe(root: Node): void {
    if (observed.has(root)) return;
    observed.add(root);
    observer.observe(root, OBSERVED);
  }
  observe(document);
  const serialise = makeSerialise(nodes, state, observe);

  /** Null where something else stands there by now. */
  function atEnd({ steps, tag, text }: Way): Element | null {
    let node: Node | null = document;
    for (const step of steps) {
      if (step < 0) node = node instanceof Element ? nodes.shadowRoot(node) : null;
      else {
        node = node && nodes.firstChild(node);
        for (let i = 0; i < step && node; i += 1) node = nodes.nextSibling(node);
      }
    }
    const isSame = node instanceof Element && nodes.name(node).toUpperCase() === tag && (nodes.text(node) ?? "").startsWith(text);
    return isSame ? (node as Element) : null;
  }

  /** The innermost element there; of those around it the one that has the box. */
  function elementOf(aimed: Aimed): Element | null {
    if (aimed === null) return null;
    if (aimed !== "focused" && "steps" in aimed) return atEnd(aimed);
    const step = (root: Document | ShadowRoot) => (aimed === "focused" ? nodes.activeIn(root) : nodes.elementAt(root, aimed.x, aimed.y));
    let found = step(document);
    for (let shadow = found && nodes.shadowRoot(found); found && shadow; shadow = nodes.shadowRoot(found)) {
      const inner = step(shadow);
      if (!inner || inner === found) break;
      found = inner;
    }
    if (aimed === "focused") return found === document.body || found === nodes.documentElement(document) ? null : found; // nothing has it
    const { box } = aimed;
    for (let each: Node | null = found; each; each = nodes.parent(each)) {
      if (!(each instanceof Element)) continue;
      const { x, y, width, height } = nodes.rect(each);
      if (Math.abs(x - box.x) + Math.abs(y - box.y) + Math.abs(width - box.width) + Math.abs(height - box.height) < 2) return each;
    }
    return found;
  }

  function aimAt({ callId, aimed, secret }: CaptureRequest): void {
    const element = elementOf(aimed);
    if (element && secret) state.secretFields.add(element);
    if (target.callId === callId && (!element || target.elements.has(element))) return;
    const before = target;
    target = { callId, elements: new Set(before.callId === callId ? before.elements : []) };
    if (element) target.elements.add(element);
    for (const each of [...before.elements, ...target.elements]) markStale(each);
  }

  /** Notices what changed without being reported. */
  function lookAtHidden(): void {
    for (const element of state.scrolled) if (!memory.watched.has(element)) memory.watched.set(element, "");
    for (const [element, was] of memory.watched) {
      if (!nodes.isConnected(element)) {
        memory.watched.delete(element);
        state.scrolled.delete(element);
      } else if (state.hidden(element) !== was) markStale(nodes.shadowRoot(element) ?? element); // its sheets stand in its shadow root
    }
  }

  /** Linked sheets whose number of rules is no longer that of the first look, but for too long ones. */
  function overriddenSheets(maxChars: number): Moment["overrides"] {
    const changed: Moment["overrides"] = [];
    for (const sheet of nodes.sheetsOf(document)) {
      if (!sheet.href) continue;
      const count = state.ruleCount(sheet);
      const known = sheets.get(sheet);
      if (count < 0) continue;
      if (!known) sheets.set(sheet, { count, changedAt: null });
      else if (known.count !== count) sheets.set(sheet, { count, changedAt: moment });
      const { changedAt = null } = sheets.get(sheet) ?? {};
      if (changedAt === null) continue;
      const url = sheet.href.replace(/#.*/, "");
      const { text } = state.sheetOf(sheet);
      if (text.length > maxChars) continue;
      changed.push(changedAt === moment ? { url, text } : { url, ref: moment - changedAt });
    }
    return changed;
  }

  return {
    markFrame(element: Element, frameId: string): true {
      state.frameIds.set(element, frameId);
      markStale(element);
      return true;
    },
    /** The html and the rest, both as JSON. The html is empty where it would be too large; the next must be whole. */
    capture(request: CaptureRequest): [string, string] {
      const began = performance.now();
      onChanges(observer.takeRecords());
      if (request.whole) {
        memory = blank();
        for (const sheet of nodes.sheetsOf(document)) {
          const known = sheets.get(sheet);
          if (known && known.changedAt !== null) sheets.set(sheet, { count: -1, changedAt: null }); // given once more
        }
      }
      state.begin(request.canvases ? CANVAS_MS : 0);
      aimAt(request);
      lookAtHidden();
      moment += 1;
      const secrets = new Set<string>();
      const note = (value: string) => {
        const { count, minChars, maxChars } = request.values;
        if (secrets.size < count && value.length >= minChars && value.length <= maxChars) secrets.add(value);
      };
      const overrides = overriddenSheets(request.maxChars);
      const html = serialise(memory, moment, target, note, request.maxChars) ?? "";
      const about: Moment = {
        doctype: nodes.doctype(document)?.name ?? null,
        viewport: { width: innerWidth, height: innerHeight },
        url: location.href,
        wallTime: Date.now(),
        collectionTime: performance.now() - began,
        overrides,
        secrets: [...secrets],
      };
      return [html, JSON.stringify(about)];
    },
  };
}

export type Agent = ReturnType<typeof createAgent>;
