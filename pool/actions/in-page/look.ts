/** One look for an element, and what is to be done with it in the same breath. Runs in the page. */
import type { Query } from "../selector-syntax.ts";
import type { Dom } from "./dom.ts";
import type { Find } from "./find.ts";

/** What a task made of the element: done with a value, not possible yet, or never. */
export type TaskOutcome = { done: unknown } | { notYet: string } | { never: string };
export type Tasks = Record<string, (element: Element, arg: never) => TaskOutcome>;

/**
 * Where an element stands in its document, from the top down: which child of its parent, -1 for a shadow root. `tag` and the beginning of its
 * text tell whether another has taken its place since.
 */
export type Way = { steps: number[]; tag: string; text: string };

export type LookRequest = {
  /** Candidates in order of preference. null: one that gets no look yet. */
  queries: Query[];
  /** The whole chain: its other selectors decide where one finds several. */
  chain: Query[];
  want: "visible" | "attached";
  task: string | null;
  arg?: unknown;
  /** Is the way to it told? It costs a walk up the document. */
  tellsWay: boolean;
  /** What ends the wait: that it is there and the task done, or that it is gone. */
  goal: "there" | "gone";
  /** Keep looking inside the page for so long, so that no change is noticed late. 0: one look. */
  waitMs: number;
};

export type LookOutcome =
  | { kind: "found"; index: number; visible: number; total: number; agreed: boolean; what: string; way: Way | null; done: unknown }
  | { kind: "notYet"; index: number; what: string; why: string }
  | { kind: "never"; index: number; what: string; why: string }
  | { kind: "missing"; totals: number[] }
  | { kind: "invalid"; index: number; why: string };
export type LookAnswer = LookOutcome & {
  /** Was it there at the first look already? */
  atOnce: boolean;
  /** Did the document change while we waited? */
  changed: boolean;
  /** Is the document still being read? */
  loading: boolean;
  /** What on the page says that it is at work. */
  busy: string | null;
};

export function createLook(dom: Dom, { find }: Find, tasks: Tasks) {
  const state: { held: Element | null; offered: Map<string, Element[]> } = { held: null, offered: new Map() };
  const BUSY =
    '[aria-busy="true"], [role="progressbar"]:not([aria-valuenow]), progress:not([value]), [class*="spinner" i], [class*="skeleton" i], [class*="loading" i], [class*="loader" i], [class*="shimmer" i]';
  const WAY_TEXT = 80;
  const BUSY_TEXT = /^(loading|please wait|searching|processing|saving|submitting|fetching|connecting|one moment)\b/i;

  const findAll = (query: Query): Element[] =>
    query.kind === "aria" ? (state.offered.get(`${query.role} ${query.name}`) ?? []).filter(dom.isConnected) : find(query);

  /**
   * Of several, the one that another selector of the chain means too, if it means that one alone of them. What Chrome has said of an `aria/` is of this
   * look only where that is among its queries.
   */
  function agreedOn(shown: readonly Element[], { chain, queries }: Pick<LookRequest, "chain" | "queries">): Element | undefined {
    for (const query of chain) {
      if (query.kind === "aria" && !queries.some((each) => each.kind === "aria" && each.role === query.role && each.name === query.name))
        continue;
      let others: Set<Element>;
      try {
        others = new Set(findAll(query));
      } catch {
        continue; // not valid: said when its turn comes
      }
      const both = shown.filter((each) => others.has(each));
      if (both.length === 1) return both[0];
    }
    return undefined;
  }

  function wayTo(element: Element): Way {
    const steps: number[] = [];
    for (let node: Node = element; node !== document; ) {
      const parent = dom.parentNode(node);
      if (!parent) {
        if (!(node instanceof ShadowRoot)) break; // it is in no document
        steps.push(-1);
        node = node.host;
        continue;
      }
      let before = 0;
      for (let each = dom.previousSibling(node); each; each = dom.previousSibling(each)) before += 1;
      steps.push(before);
      node = parent;
    }
    return { steps: steps.reverse(), tag: dom.tagName(element), text: dom.textContent(element).slice(0, WAY_TEXT) };
  }

  function lookOnce({ queries, chain, want, task, arg, tellsWay }: LookRequest): LookOutcome {
    const totals: number[] = [];
    for (const [index, query] of queries.entries()) {
      let matches: Element[];
      try {
        matches = findAll(query);
      } catch (error) {
        if (error instanceof DOMException) return { kind: "invalid", index, why: error.message };
        throw error;
      }
      totals.push(matches.length);
      const shown = matches.filter(dom.isVisible);
      const agreed = shown.length > 1 && chain.length > 1 ? agreedOn(shown, { chain, queries }) : undefined;
      const element = agreed ?? shown[0] ?? (want === "attached" ? matches[0] : undefined);
      if (!element) continue;
      state.held = element;
      const what = dom.describe(element);
      const way = tellsWay ? wayTo(element) : null;
      const perform = task === null ? null : (tasks[task] as (element: Element, arg: unknown) => TaskOutcome);
      const outcome = perform ? perform(element, arg) : { done: null };
      if ("notYet" in outcome) return { kind: "notYet", index, what, why: outcome.notYet };
      if ("never" in outcome) return { kind: "never", index, what, why: outcome.never };
      const counts = { visible: shown.length, total: matches.length, agreed: agreed !== undefined };
      return { kind: "found", index, ...counts, what, way, done: outcome.done };
    }
    return { kind: "missing", totals };
  }

  async function look(request: LookRequest): Promise<LookAnswer> {
    const end = performance.now() + request.waitMs;
    let startedAt = performance.now();
    let outcome = lookOnce(request);
    const first = outcome;
    const isOpen = () => (request.goal === "there" ? outcome.kind === "missing" || outcome.kind === "notYet" : outcome.kind === "found");
    let changed = false;
    if (isOpen() && request.waitMs > 0) {
      const changes = watchChanges();
      try {
        while (isOpen() && performance.now() < end) {
          const leftMs = end - performance.now();
          const costMs = performance.now() - startedAt;
          await changes.next(Math.min(leftMs, outcome.kind === "missing" ? 100 : 50), Math.min(leftMs, costMs * 4));
          startedAt = performance.now();
          outcome = lookOnce(request);
        }
      } finally {
        changed = changes.end();
      }
    }
    const loading = dom.readyState(document) === "loading";
    const asksWhetherBusy = outcome.kind === "missing" && request.waitMs > 0 && !changed && !loading;
    return { ...outcome, atOnce: outcome === first, changed, loading, busy: asksWhetherBusy ? busySign() : null };
  }

  /** Tells of changes in the document and in every open shadow root. */
  function watchChanges() {
    let changed = false;
    let wake = () => {};
    const observer = new MutationObserver(() => {
      changed = true;
      wake();
    });
    for (const tree of dom.trees()) {
      observer.observe(tree, {
        subtree: true,
        childList: true,
        characterData: true,
        attributeFilter: [
          "class",
          "style",
          "hidden",
          "disabled",
          "open",
          "role",
          "aria-busy",
          "aria-hidden",
          "aria-disabled",
          "aria-label",
          "readonly",
        ],
      });
    }
    return {
      /** At the next change, but not before `restMs` (a page that always changes must not keep us always looking), or after `limitMs`. */
      async next(limitMs: number, restMs: number): Promise<void> {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const start = performance.now();
        await new Promise<void>((resolve) => {
          timer = setTimeout(resolve, limitMs);
          wake = resolve;
        });
        clearTimeout(timer);
        wake = () => {};
        const leftMs = restMs - (performance.now() - start);
        if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
      },
      end(): boolean {
        observer.disconnect();
        return changed;
      },
    };
  }

  /** A visible spinner, skeleton, `aria-busy`, or a short text such as "Loading…". */
  function busySign(): string | null {
    const shows = (element: Element) =>
      dom.checkVisibility(element, { opacityProperty: true, visibilityProperty: true }) && dom.isVisible(element);
    for (const tree of dom.trees()) for (const element of dom.queryAll(tree, BUSY)) if (shows(element)) return dom.describe(element);
    const body = dom.bodyOf(document);
    const walker = body && dom.walker(document, body, NodeFilter.SHOW_TEXT);
    for (let seen = 0; walker?.nextNode() && seen < 20_000; seen += 1) {
      const text = walker.currentNode.nodeValue ?? "";
      const parent = dom.parentNode(walker.currentNode);
      if (
        text.length < 60 &&
        BUSY_TEXT.test(text.trim()) &&
        dom.isElement(parent) &&
        !/^(SCRIPT|STYLE|BUTTON|OPTION|A|LABEL)$/.test(dom.tagName(parent)) &&
        shows(parent)
      )
        return dom.describe(parent);
    }
    return null;
  }

  /** Chrome's own answer to an `aria/` query, for the looks to come. */
  function offer(key: string, elements: Element[]): void {
    state.offered.set(key, elements);
  }

  return { look, offer, state };
}

export type Look = ReturnType<typeof createLook>;
