/** Watching input arrive: what a press hits, and whether the document was given any. Runs in the page. */
import type { Dom } from "./dom.ts";

/** `unseen`: it came, but the page kept its events from us. `none`: nothing came; `inside`: it may have gone into what the element holds, a frame or a plug-in. */
export type PressVerdict = { kind: "hit" } | { kind: "missed"; by: string } | { kind: "unseen" } | { kind: "none"; inside: boolean };
/** How an event's first element, where it has one, and its point are judged: null is a hit, else what was hit instead. */
type Judge = (first: Element | null, x: number, y: number) => string | null;
type Armed = { verdict: PressVerdict; before: number; stop(): void };

export function createWatch(dom: Dom) {
  const PRESSES = ["pointerdown", "mousedown", "pointerup", "mouseup", "click", "auxclick", "dblclick", "contextmenu"];
  const HOLDS_ANOTHER = /^(?:IFRAME|FRAME|FENCEDFRAME|EMBED|OBJECT)$/;
  /** What is pressed or typed there may be for a document, or a plug-in, that the element holds. */
  const holdsAnother = (element: Element): boolean => HOLDS_ANOTHER.test(dom.tagName(element));
  let armed: Armed | null = null;

  /** Chrome's own counts of what it has dispatched in this document: pages cannot hold an event back from them. */
  const counted = (names: string[]): number => {
    const { eventCounts } = performance as Performance & { eventCounts: ReadonlyMap<string, number> };
    return names.reduce((sum, name) => sum + (eventCounts.get(name) ?? 0), 0);
  };
  const presses = (): number => counted(PRESSES);
  /** `mayDrop`: the next key is for this document, which is not drawn yet: Chrome may drop it. */
  function keys(): { down: number; mayDrop: boolean } {
    const active = dom.activeIn(document);
    const isOurs = !(active && holdsAnother(active));
    return { down: counted(["keydown"]), mayDrop: isOurs && performance.getEntriesByType("paint").length === 0 };
  }

  /** From now on a press that misses is swallowed, until `disarm`. */
  function arm(judge: Judge, inside: boolean): void {
    armed?.stop();
    const mine: Armed = { verdict: { kind: "none", inside }, before: presses(), stop };
    armed = mine;
    function onEvent(event: Event): void {
      if (!event.isTrusted) return;
      if (mine.verdict.kind === "none") {
        const { clientX, clientY } = event as MouseEvent;
        const [first] = event.composedPath();
        const instead = judge(dom.isElement(first) ? first : null, clientX, clientY);
        mine.verdict = instead === null ? { kind: "hit" } : { kind: "missed", by: instead };
      }
      if (mine.verdict.kind !== "missed") return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }
    function stop(): void {
      for (const name of PRESSES) removeEventListener(name, onEvent, true);
    }
    for (const name of PRESSES) addEventListener(name, onEvent, { capture: true, passive: false });
  }

  /** In a document around the element's: no press is for it. */
  const guard = (): void => arm((first) => (first ? dom.describe(first) : "the page around it"), false);

  function disarm(): PressVerdict {
    const mine = armed;
    armed = null;
    mine?.stop();
    if (mine?.verdict.kind === "none" && presses() > mine.before) return { kind: "unseen" };
    return mine?.verdict ?? { kind: "none", inside: false };
  }

  return { holdsAnother, presses, keys, arm, guard, disarm };
}

export type Watch = ReturnType<typeof createWatch>;
