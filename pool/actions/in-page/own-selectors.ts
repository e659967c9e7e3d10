/** Selectors that find one element and no other, the most stable first. Runs in the page. */
import type { Dom } from "./dom.ts";

/** `name` null: it has none that would tell it apart. */
export type Sought = { element: Element; role: string; name: string | null; isField: boolean };

export function createOwnSelectors(dom: Dom) {
  /** Ids that a program made up anew, or will with its next build. */
  const MADE_UP = /\d{4,}|^[:]|[:.]r?\d+|__|[0-9a-f]{8,}|^(ember|react|radix|mui|headlessui|ext-gen)/i;
  const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
  type Count = Map<string, number>;

  /**
   * For each element its selectors. What is unique is counted once for the whole document; roles and names among those given. Where `all`
   * says that others were left out, these stand after them: in the document itself the first match is the one that is meant.
   */
  function ownSelectors(sought: readonly Sought[], all: boolean): string[][] {
    const { marks, fieldMark, pathOf } = survey();
    const roleNames: Count = new Map();
    for (const { role, name } of sought) count(roleNames, `${role}\n${name}`);
    return sought.map(({ element, role, name, isField }) => {
      const selectors = marks(element);
      const isCounted = all || dom.rootOf(element) === document;
      if (role !== "" && name !== null && isCounted && roleNames.get(`${role}\n${name}`) === 1)
        selectors.push(`role=${role}[name=${quoted(name)}]`);
      if (isField) selectors.push(...fieldMark(element));
      return selectors.length > 0 ? selectors : [pathOf(element)];
    });
  }

  /** All ways to find one element, the most stable first; whether they find another too is not asked here. `text`: all that it says, "" for fields. */
  function waysTo({ element, role, name }: Sought, text: string): string[] {
    const { marks, fieldMark, placeOf } = survey();
    return [
      ...marks(element),
      ...(role !== "" && name ? [`role=${role}[name=${quoted(name)}]`] : []),
      ...fieldMark(element),
      ...(text === "" ? [] : [`text=${quoted(text)}`]),
      placeOf(element),
    ];
  }

  const count = (counts: Count, key: string | null) => key && counts.set(key, (counts.get(key) ?? 0) + 1);

  function survey() {
    const ids: Count = new Map();
    const testIds: Count = new Map();
    const fieldNames: Count = new Map();
    for (const tree of dom.trees()) {
      for (const each of dom.queryAll(tree, "[id], [data-testid], [name]")) {
        count(ids, dom.attribute(each, "id"));
        count(testIds, dom.attribute(each, "data-testid"));
        count(fieldNames, dom.attribute(each, "name"));
      }
    }
    const paths = new Map<Element, string>();
    const places = new Map<Node, Map<Element, string>>();
    return { marks, fieldMark, pathOf, placeOf };

    /** What its author gave it to be found by. */
    function marks(element: Element): string[] {
      const testId = dom.attribute(element, "data-testid");
      const id = dom.attribute(element, "id");
      return [
        ...(testId && testIds.get(testId) === 1 ? [`[data-testid=${quoted(testId)}]`] : []),
        ...(id && ids.get(id) === 1 && !MADE_UP.test(id) ? [`#${CSS.escape(id)}`] : []),
      ];
    }

    function fieldMark(element: Element): string[] {
      const name = dom.attribute(element, "name");
      return name && fieldNames.get(name) === 1 ? [`${dom.tagName(element).toLowerCase()}[name=${quoted(name)}]`] : [];
    }

    /** From the nearest element that has a mark down to this one, by position. */
    function pathOf(element: Element): string {
      const known = paths.get(element);
      if (known !== undefined) return known;
      const path = marks(element)[0] ?? placeOf(element);
      paths.set(element, path);
      return path;
    }

    /** The same, whatever mark it has itself. */
    function placeOf(element: Element): string {
      const parent = dom.parentNode(element);
      const tag = () => `${CSS.escape(element.localName)}${parent ? nthOf(element, parent) : ""}`;
      if (dom.isElement(parent)) return `${pathOf(parent)} > ${tag()}`;
      return parent instanceof ShadowRoot ? `${pathOf(parent.host)} ${tag()}` : CSS.escape(element.localName);
    }

    function nthOf(element: Element, parent: Node): string {
      let known = places.get(parent);
      if (!known) {
        const groups = new Map<string, Element[]>();
        for (const each of dom.childNodes(parent)) {
          if (!dom.isElement(each)) continue;
          const group = groups.get(each.localName);
          if (group) group.push(each);
          else groups.set(each.localName, [each]);
        }
        known = new Map();
        for (const group of groups.values())
          for (const [i, each] of group.entries()) known.set(each, group.length === 1 ? "" : `:nth-of-type(${i + 1})`);
        places.set(parent, known);
      }
      return known.get(element) ?? "";
    }
  }

  return { ownSelectors, waysTo };
}

export type OwnSelectors = ReturnType<typeof createOwnSelectors>;
