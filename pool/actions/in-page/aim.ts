/** Where to click an element, what is in the way, and whether the click reached it. Runs in the page. */
import type { Dom } from "./dom.ts";
import type { TaskOutcome } from "./look.ts";
import type { Names } from "./names.ts";
import type { Roles } from "./roles.ts";
import type { PressVerdict, Watch } from "./watch.ts";

export type Box = { x: number; y: number; width: number; height: number };
/** In CSS pixels of the element's own frame. */
export type Aim = { x: number; y: number; box: Box };
/** What a click would be done to: the control itself, whatever selector found it. Texts are cut. */
export type ClickTarget = {
  name: string;
  text: string;
  role: string;
  /** Where a link leads, as an absolute URL. */
  href: string | null;
  /** The form that it belongs to, and whether it sends that. `method` in lower case. */
  form: { action: string; method: string } | null;
  submits: boolean;
  /** The words of the dialog that it stands in, or none. */
  dialog: string;
};
export type Confirmed = { ok: true; target: ClickTarget } | { moved: string } | { notYet: string };

export function createAim(dom: Dom, roles: Roles, names: Names, watch: Watch) {
  const { closest, holds } = dom;
  const CONTROL =
    "button, a[href], label, summary, [role=button], [role=link], [role=tab], [role^=menuitem], [role=option], [role=checkbox], [role=radio], [role=switch], [role=treeitem]";
  let lastScroll: Element | null = null;
  let scrolls = 0;

  const controlOf = (element: Element): Element => closest(element, CONTROL) ?? element;
  const labelled = (label: Element | null): Element | null => (label as HTMLLabelElement | null)?.control ?? null;

  /** Disabled itself, or the control around it or behind its label is. */
  function whyDisabled(element: Element): string | null {
    const control = closest(element, "button, input, select, textarea, option, a, [role]") ?? element;
    const behind = labelled(closest(element, "label"));
    for (const each of new Set([element, control, ...(behind ? [behind] : [])])) {
      if (roles.isDisabled(each)) return each === element ? "it is disabled" : `${dom.describe(each)} is disabled`;
    }
    return null;
  }

  function aim(element: Element): TaskOutcome {
    const disabled = whyDisabled(element);
    if (disabled) return { notYet: disabled };
    let seen = probe(element);
    if (typeof seen !== "string") return { done: seen };
    // Another corner of the screen for each try: what covers it may be a header or a footer that stays in place.
    scrolls = lastScroll === element ? scrolls + 1 : 0;
    lastScroll = element;
    for (const block of scrolls === 0
      ? (["center", "end", "start"] as const)
      : ([(["center", "end", "start"] as const)[scrolls % 3] ?? "center"] as const)) {
      dom.scrollTo(element, { block, inline: "center", behavior: "instant" });
      seen = probe(element);
      if (typeof seen !== "string") return { done: seen };
    }
    return { notYet: seen };
  }

  /** A point at which a click reaches the element, or why there is none. The middle is tried first, then four points around it. */
  function probe(element: Element): Aim | string {
    const rects = boxes(element);
    if (rects.length === 0) return "it has no box";
    let why = "";
    let inside = false;
    for (const { x, y, width, height } of rects) {
      for (const [dx, dy] of [
        [0.5, 0.5],
        [0.25, 0.5],
        [0.75, 0.5],
        [0.5, 0.2],
        [0.5, 0.8],
      ] as const) {
        const at = { x: x + width * dx, y: y + height * dy };
        if (at.x < 0 || at.y < 0 || at.x >= innerWidth || at.y >= innerHeight) continue;
        inside = true;
        const hit = hitAt(element, at.x, at.y);
        if (accepts(element, hit)) return { ...at, box: toBox(dom.rectOf(element)) };
        why ||= hit ? `covered by ${coverOf(element, hit)}` : "nothing can be clicked where it is";
      }
    }
    return inside ? why : "it is outside the viewport";
  }

  /** Its boxes, a link that breaks over two lines has two; those of its children where it has none itself. */
  function boxes(element: Element): Box[] {
    const own = [...dom.rectsOf(element)].filter(({ width, height }) => width > 0 && height > 0).slice(0, 3);
    if (own.length > 0) return own.map(toBox);
    return [...dom.children(element)]
      .flatMap((child) => [...dom.rectsOf(child)].filter(({ width, height }) => width > 0 && height > 0).map(toBox))
      .slice(0, 3);
  }

  const toBox = ({ x, y, width, height }: DOMRect): Box => ({ x, y, width, height });

  /** What a click at the point reaches: down through every open shadow root, and through closed ones that hold the target. */
  function hitAt(target: Element, x: number, y: number): Element | null {
    const roots: (Document | ShadowRoot)[] = [];
    for (let root = dom.rootOf(target); ; root = dom.rootOf(root.host)) {
      if (root instanceof Document) {
        roots.unshift(root);
        break;
      }
      if (!(root instanceof ShadowRoot)) return null; // not in the document
      roots.unshift(root);
    }
    let hit: Element | null = null;
    for (const [i, root] of roots.entries()) {
      hit = dom.elementAt(root, x, y);
      const next = roots[i + 1];
      if (!hit || (next instanceof ShadowRoot && next.host !== hit)) break;
    }
    for (;;) {
      const shadow = hit && dom.shadowRoot(hit);
      const inner = shadow ? dom.elementAt(shadow, x, y) : null;
      if (!inner || inner === hit || dom.rootOf(inner) !== shadow) return hit;
      hit = inner;
    }
  }

  /** Is a click on `hit` a click on the target? Inside it, on the control that it is a part of, or on its label. */
  function accepts(target: Element, hit: Element | null): boolean {
    if (!hit) return false;
    if (holds(target, hit) || holds(controlOf(target), hit)) return true;
    const control = labelled(closest(hit, "label"));
    if (control && (control === target || holds(target, control))) return true;
    const own = labelled(closest(target, "label"));
    return own !== null && holds(own, hit);
  }

  /** The part of the cover that one would name: the nearest element around the hit with a mark, still outside the target's own branch. */
  function coverOf(target: Element, hit: Element): string {
    for (let each: Element | null = hit; each && !holds(each, target); each = dom.parentElement(each)) {
      if (["id", "class", "role", "aria-label"].some((name) => dom.attribute(each as Element, name))) return dom.describe(each);
    }
    return dom.describe(hit);
  }

  /** After the pointer has moved there and a frame was drawn: is all as it was? Then the next click is watched, and swallowed if it would miss. */
  async function confirm(element: Element | null, { x, y, box }: Aim): Promise<Confirmed> {
    await dom.nextFrame();
    if (!element || !dom.isConnected(element)) return { moved: "it was replaced" };
    const now = dom.rectOf(element);
    if ((["x", "y", "width", "height"] as const).some((key) => Math.abs(now[key] - box[key]) > 0.5)) return { moved: "it keeps moving" };
    const disabled = whyDisabled(element);
    if (disabled) return { notYet: disabled };
    const hit = hitAt(element, x, y);
    if (!accepts(element, hit)) return { notYet: hit ? `covered by ${coverOf(element, hit)}` : "nothing can be clicked where it is" };
    watch.arm(
      (first, atX, atY) => {
        const now = first && accepts(element, first) ? first : hitAt(element, atX, atY);
        return accepts(element, now) ? null : now ? dom.describe(now) : "nothing";
      },
      hit !== null && watch.holdsAnother(hit),
    );
    return { ok: true, target: targetOf(element) };
  }

  const TEXT_CHARS = 200;
  const cut = (text: string) => dom.short(dom.normal(dom.short(text, TEXT_CHARS * 4)), TEXT_CHARS);

  /** As it is shown: words of different blocks stay apart. */
  const words = (element: Element) => (element instanceof HTMLElement ? dom.shownText(element) : dom.textContent(element));

  /** The control that a click on the element works; what a label stands for, where it is one. */
  function targetOf(element: Element): ClickTarget {
    const around = controlOf(element);
    const control = labelled(closest(around, "label")) ?? around;
    const link = closest(control, "a[href]");
    const kind = (dom.attribute(control, "type") ?? "").toLowerCase();
    const tag = dom.tagName(control);
    const submits = (tag === "BUTTON" && !/^(?:button|reset)$/.test(kind)) || (tag === "INPUT" && /^(?:submit|image)$/.test(kind));
    const owner = dom.attribute(control, "form");
    const root = dom.rootOf(control);
    const form =
      (owner !== null && (root instanceof Document || root instanceof ShadowRoot) ? dom.byId(root, owner) : null) ??
      closest(control, "form");
    const given = (name: string) =>
      (submits ? dom.attribute(control, `form${name}`) : null) ?? (form ? dom.attribute(form, name) : null) ?? "";
    const dialog = closest(control, "dialog, [role=dialog], [role=alertdialog]");
    const value = tag === "INPUT" && /^(?:submit|button|reset|image)$/.test(kind) ? (dom.attribute(control, "value") ?? "") : "";
    return {
      name: cut(names.nameOf(control, true)),
      text: cut(`${words(control)} ${value}`),
      role: roles.roleOf(control) ?? "",
      href: link ? absolute(dom.attribute(link, "href") ?? "") : null,
      form: form ? { action: absolute(given("action")), method: (given("method") || "get").toLowerCase() } : null,
      submits,
      dialog: dialog ? cut(words(dialog)) : "",
    };
  }

  const absolute = (address: string): string =>
    dom.short(URL.canParse(address, document.baseURI) ? new URL(address, document.baseURI).href : address, 2000);

  /** What Enter or the space bar would press: the control with the focus, or the button that sends its form. Null: nothing that acts. */
  function focused(key: string): ClickTarget | null {
    let at = dom.activeIn(document);
    for (let shadow = at && dom.shadowRoot(at); at && shadow; shadow = at && dom.shadowRoot(at)) at = dom.activeIn(shadow) ?? null;
    if (!at || /^(?:BODY|HTML|IFRAME|FRAME|TEXTAREA)$/.test(dom.tagName(at))) return null;
    const types =
      dom.tagName(at) === "INPUT" && !/^(?:submit|button|image|reset|checkbox|radio)$/i.test(dom.attribute(at, "type") ?? "text");
    if (!types) return writesIn(at) ? null : targetOf(at);
    if (key !== "Enter") return null;
    const form = closest(at, "form");
    const sender = form ? [...dom.queryAll(form, "button, input")].find((each) => targetOf(each).submits) : undefined;
    return sender ? targetOf(sender) : { ...targetOf(at), submits: form !== null };
  }

  /** An editor takes them as text, as a textarea does. */
  const writesIn = (element: Element): boolean =>
    dom.isEditable(element) &&
    !/^(?:BUTTON|INPUT|SELECT|A|SUMMARY)$/.test(dom.tagName(element)) &&
    /^(?:generic|paragraph|textbox|)$/.test(roles.roleOf(element) ?? "");

  /** What became of the click; where scripts run, once the page's own handlers and what they queued have run. */
  async function verdict({ inMain }: { inMain: boolean }): Promise<PressVerdict> {
    const verdict = watch.disarm();
    if (inMain) await new Promise((resolve) => setTimeout(resolve)); // a sandboxed frame may run no timers
    return verdict;
  }

  /** A point of a frame inside this one, in this one's pixels, if a click there goes into the frame. */
  function throughFrame(frame: Element, { x, y, box }: Aim): { done: Aim } | { notYet: string } {
    const place = () => {
      const outer = dom.rectOf(frame);
      const { offsetWidth, offsetHeight, clientLeft, clientTop } = frame as HTMLIFrameElement;
      const style = dom.styleOf(frame);
      const scaleX = outer.width / (offsetWidth || 1);
      const scaleY = outer.height / (offsetHeight || 1);
      const left = outer.x + (clientLeft + Number.parseFloat(style.paddingLeft)) * scaleX;
      const top = outer.y + (clientTop + Number.parseFloat(style.paddingTop)) * scaleY;
      return {
        x: left + x * scaleX,
        y: top + y * scaleY,
        box: { x: left + box.x * scaleX, y: top + box.y * scaleY, width: box.width * scaleX, height: box.height * scaleY },
      };
    };
    let at = place();
    const outside = () => at.x < 0 || at.y < 0 || at.x >= innerWidth || at.y >= innerHeight;
    if (outside()) {
      dom.scrollTo(frame, { block: "nearest", inline: "nearest", behavior: "instant" });
      at = place();
    }
    if (outside()) {
      scrollBy({ left: at.x - innerWidth / 2, top: at.y - innerHeight / 2, behavior: "instant" });
      at = place();
    }
    if (outside()) return { notYet: "its frame is outside the viewport" };
    const hit = hitAt(frame, at.x, at.y);
    return hit === frame
      ? { done: at }
      : { notYet: hit ? `its frame is covered by ${coverOf(frame, hit)}` : "its frame cannot be clicked" };
  }

  return { aim, confirm, verdict, throughFrame, whyDisabled, focused };
}

export type Aiming = ReturnType<typeof createAim>;
