/** Putting values into fields: what script must do before text is typed, and what it can do by itself. Runs in the page. */
import type { Dom } from "./dom.ts";
import type { TaskOutcome } from "./look.ts";
import type { Roles } from "./roles.ts";

/** `type`: the field has the focus and its content is selected; `put`: it takes a secret from `put` alone; `done`: the value is set. `hidden`: what it holds is nobody's to read. */
export type FillPlan = {
  step: "type" | "clear" | "put" | "done";
  box: { x: number; y: number; width: number; height: number };
  hidden: boolean;
};
type Origins = readonly string[] | null;

export function createEdit(dom: Dom, roles: Roles) {
  type Field = HTMLInputElement | HTMLTextAreaElement;
  const SET = /^(color|date|time|datetime-local|month|range|week)$/;
  const NOT_TEXT: Record<string, string> = {
    checkbox: "click",
    radio: "click",
    button: "click",
    submit: "click",
    reset: "click",
    image: "click",
  };
  const valueSetters = [HTMLInputElement.prototype, HTMLTextAreaElement.prototype].map(
    (prototype) => Object.getOwnPropertyDescriptor(prototype, "value")?.set as (value: string) => void,
  );

  const isField = (element: Element): element is Field => /^(INPUT|TEXTAREA)$/.test(dom.tagName(element));
  const announce = (element: Element, ...names: string[]) => {
    for (const name of names) element.dispatchEvent(new Event(name, { bubbles: true, composed: name === "input" }));
  };

  /** Fields that hold a secret: pictures of the page do not show them. */
  const secretFields = new Set<Element>();
  const SECRET_FIELD = /^(current-password|new-password|one-time-code|cc-number|cc-csc)$/;
  const isHidden = (element: Element): boolean =>
    isField(element) && (element.type === "password" || SECRET_FIELD.test(dom.attribute(element, "autocomplete") ?? ""));
  const controlOf = (found: Element): Element => {
    const label = isField(found) || dom.isEditable(found) ? null : dom.closest(found, "label");
    return (label as HTMLLabelElement | null)?.control ?? found;
  };

  /** Makes a field ready to take a text in place of what it holds. A label stands for its control. null: a secret, which `put` brings. */
  function fill(found: Element, { text }: { text: string | null }): TaskOutcome {
    const element = controlOf(found);
    if (roles.isDisabled(element)) return { notYet: "it is disabled" };
    if (text === null) secretFields.add(element);
    if (!isField(element)) {
      if (dom.tagName(element) === "SELECT") return { never: "it is a <select>: use the action select" };
      if (!dom.isEditable(element)) return { never: "it is not a field that takes text" };
      if (!focusOn(element)) return { notYet: "it does not take the focus" };
      getSelection()?.selectAllChildren(element);
      return plan(element, stepFor(text, dom.textContent(element)));
    }
    if (element.readOnly) return { notYet: "it is read-only" };
    const type = dom.tagName(element) === "TEXTAREA" ? "textarea" : element.type;
    if (NOT_TEXT[type]) return { never: `it is an <input type=${type}>: use the action ${NOT_TEXT[type]}` };
    if (type === "file") return { never: "it is a file field, which takes no text" };
    if (SET.test(type)) return text === null ? plan(element, "put") : setValue(element, type, text);
    if (type === "number" && text !== null && text.trim() !== "" && Number.isNaN(Number(text)))
      return { never: "it is a number field, and the text is not a number" };
    dom.scrollTo(element, { block: "nearest", inline: "nearest", behavior: "instant" });
    if (!focusOn(element)) return { notYet: "it does not take the focus" };
    element.select();
    return plan(element, stepFor(text, element.value));
  }

  function plan(element: Element, step: FillPlan["step"]): TaskOutcome {
    const { x, y, width, height } = dom.rectOf(element);
    return { done: { step, box: { x, y, width, height }, hidden: isHidden(element) } satisfies FillPlan };
  }
  const stepFor = (text: string | null, has: string): FillPlan["step"] => (text !== "" ? "type" : has !== "" ? "clear" : "done");

  function focusOn(element: Element): boolean {
    (element as HTMLElement).focus({ preventScroll: true });
    const active = dom.activeIn(dom.rootOf(element) as Document | ShadowRoot);
    return active !== null && dom.holds(active, element);
  }

  /** Where this document and the page around it are from. The page's scripts cannot change that. */
  function place(): { frame: string; top: string } {
    const above = location.ancestorOrigins;
    return { frame: origin, top: above.length > 0 ? (above[above.length - 1] as string) : origin };
  }

  /** Puts a secret into the field, whole and at once, if this is where it may be. */
  function put(found: Element | null, { text, origins }: { text: string; origins: Origins }): TaskOutcome {
    const { frame, top } = place();
    if (origins !== null && !(origins.includes(frame) && origins.includes(top))) return { notYet: "the page has changed" };
    if (!found || !dom.isConnected(found)) return { notYet: "the field was replaced" };
    const element = controlOf(found);
    secretFields.add(element);
    const filled = fill(element, { text });
    if (!("done" in filled) || (filled.done as FillPlan).step === "done") return filled;
    try {
      dom.execCommand(document, "insertText", false, text); // what is selected gives way, events are the browser's own
    } catch {
      if (isField(element)) write(element, text); // XHTML has no such command
      announce(element, "input");
    }
    typed(element);
    return filled;
  }

  /** What has the focus has been given a secret. */
  function markFocused(): void {
    for (let root: Document | ShadowRoot | null = document; root; ) {
      const active: Element | null = dom.activeIn(root);
      if (active && (isField(active) || dom.isEditable(active))) secretFields.add(active);
      root = active ? dom.shadowRoot(active) : null;
    }
  }

  /** Has this document the focus itself, not a frame in it? */
  function hasFocus(): boolean {
    const active = dom.activeIn(document);
    return dom.hasFocus(document) && !(active && /^I?FRAME$/.test(dom.tagName(active)));
  }

  /** Fields that are not typed into, such as dates: the browser's own form of the value, or nothing. */
  function setValue(element: Field, type: string, text: string): TaskOutcome {
    const value = type === "color" ? text.trim().toLowerCase() : text.trim();
    focusOn(element);
    const before = element.value;
    write(element, value);
    const same =
      type === "range"
        ? Number(element.value) === Number(value)
        : element.value === value || (value !== "" && element.value.startsWith(value));
    if (!same) {
      const forms: Record<string, string> = {
        date: "2026-01-31",
        time: "13:45",
        "datetime-local": "2026-01-31T13:45",
        month: "2026-01",
        week: "2026-W05",
        color: "#0088ff",
      };
      write(element, before);
      return {
        never:
          type === "range"
            ? `it takes no such number (from ${element.getAttribute("min") ?? 0} to ${element.getAttribute("max") ?? 100})`
            : `it takes a value such as ${forms[type]}`,
      };
    }
    announce(element, "input", "change");
    return plan(element, "done");
  }

  const write = (element: Field, value: string) =>
    Reflect.apply(valueSetters[dom.tagName(element) === "INPUT" ? 0 : 1] as () => void, element, [value]);

  /**
   * After typing: `change` now, since frameworks and pages wait for it, and not once more when the field loses the focus.
   * false: the field was replaced meanwhile, the text went nowhere.
   */
  function typed(found: Element | null): boolean {
    if (!found) return false;
    const element = controlOf(found);
    if (!dom.isConnected(element)) return false;
    if (!isField(element)) return true;
    const told = element.value;
    announce(element, "change");
    if (element.value !== told) return true; // the page has changed it: the next change is news
    const onChange = (event: Event) => {
      if (!event.isTrusted || event.composedPath()[0] !== element) return;
      removeEventListener("change", onChange, true);
      if (element.value === told) event.stopImmediatePropagation();
    };
    addEventListener("change", onChange, true);
    return true;
  }

  /** Chooses the one option, by its value or by its label. */
  function choose(found: Element, wanted: { value?: string; label?: string }): TaskOutcome {
    const label = dom.tagName(found) === "SELECT" ? null : dom.closest(found, "label");
    const element = (label as HTMLLabelElement | null)?.control ?? dom.closest(found, "select") ?? found;
    if (dom.tagName(element) !== "SELECT") return { never: "it is not a <select>: open it and choose with the action click" };
    const select = element as HTMLSelectElement;
    if (roles.isDisabled(select)) return { notYet: "it is disabled" };
    const options = [...select.options];
    const labelOf = (option: HTMLOptionElement) => dom.normal(option.label || option.text);
    const text = dom.normal(wanted.label ?? "");
    const option =
      wanted.value !== undefined
        ? options.find(({ value }) => value === wanted.value)
        : (options.find((each) => labelOf(each) === text) ?? options.find((each) => labelOf(each).toLowerCase() === text.toLowerCase()));
    if (!option) {
      const has = options.slice(0, 30).map((each) => (wanted.value !== undefined ? each.value : labelOf(each)));
      const more = options.length > 30 ? `, and ${options.length - 30} more` : "";
      return {
        notYet: `it has no such option; it has ${has.map((each) => JSON.stringify(each.length > 80 ? `${each.slice(0, 80)}…` : each)).join(", ") || "none"}${more}`,
      };
    }
    if (option.disabled || (option.parentElement as HTMLOptGroupElement | null)?.disabled) return { notYet: "that option is disabled" };
    dom.scrollTo(select, { block: "nearest", inline: "nearest", behavior: "instant" });
    select.focus({ preventScroll: true });
    for (const each of options) each.selected = each === option;
    announce(select, "input", "change");
    return { done: option.value };
  }

  /** For a key alone. What cannot take the focus leaves it where it is: keys are heard everywhere above that. */
  function focus(element: Element): TaskOutcome {
    dom.scrollTo(element, { block: "nearest", inline: "nearest", behavior: "instant" });
    focusOn(element);
    return { done: null };
  }

  return { fill, put, place, hasFocus, markFocused, isHidden, secretFields, focus, typed, choose };
}

export type Edit = ReturnType<typeof createEdit>;
