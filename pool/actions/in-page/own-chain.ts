/** What else would find the element that an action is about to touch, and whether it finds that alone. Runs in the page. */
import type { Query } from "../selector-syntax.ts";
import type { Dom } from "./dom.ts";
import type { Find } from "./find.ts";
import type { TaskOutcome } from "./look.ts";
import type { Names } from "./names.ts";
import type { OwnSelectors } from "./own-selectors.ts";
import type { Roles } from "./roles.ts";

/** `visible`: of the `total` matches. `first`: is the one that would be taken the element that was asked about? */
export type Proof = { total: number; visible: number; first: boolean };

export function createOwnChain(dom: Dom, roles: Roles, names: Names, { find }: Find, { waysTo }: OwnSelectors) {
  const NAME_CHARS = 80;
  /** What takes the click of whatever stands in it. */
  const TAKES_CLICKS = "a[href], button, summary, label, [role=button], [role=link], [role=tab], [role=option], [role^=menuitem]";
  let asked: Element | null = null;

  /** For a click it is what takes the click that is described, not the words or the picture in it. */
  function own(found: Element, { click }: { click: boolean }): TaskOutcome {
    const element = (click && dom.closest(found, TAKES_CLICKS)) || found;
    asked = element;
    const name = names.nameOf(element);
    const tag = dom.tagName(element);
    const isField = /^(INPUT|SELECT|TEXTAREA)$/.test(tag) || dom.isEditable(element);
    const says = isField ? "" : dom.normal(dom.textContent(element));
    const role = roles.roleOf(element) ?? "";
    const selectors = waysTo(
      { element, role, name: name.length <= NAME_CHARS ? name : null, isField },
      says.length <= NAME_CHARS ? says : "",
    );
    return { done: { selectors, what: dom.describe(element) } };
  }

  /** In a frame that was not asked about an element since it was opened, `first` is always false. */
  function prove(queries: readonly Query[]): Proof[] {
    return queries.map((query) => {
      const matches = query.kind === "aria" ? [] : safely(query);
      const shown = matches.filter(dom.isVisible);
      return { total: matches.length, visible: shown.length, first: asked !== null && (shown[0] ?? matches[0]) === asked };
    });
  }

  /** A selector of an author's that the browser does not take finds nothing. */
  function safely(query: Query): Element[] {
    try {
      return find(query);
    } catch {
      return [];
    }
  }

  /** Of another element nothing is known any more. */
  function forget(): void {
    asked = null;
  }

  return { own, prove, forget };
}
