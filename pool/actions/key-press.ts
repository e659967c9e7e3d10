/** Typing: into a field, whose content it replaces, or where the focus is; then a key. */
import type { KeyInput } from "puppeteer-core";
import { pause, untilAborted } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import type { ActionOf, Attempt } from "./attempt.ts";
import type { FillPlan } from "./in-page/edit.ts";
import { parseKeys } from "./keys.ts";
import { type Found, locate } from "./locate.ts";
import { FrameGone, type PageLink } from "./page-link.ts";
import { shown } from "./selector-syntax.ts";
import { handled, markInput } from "./settle.ts";

/** Up to here each character is a key of its own, which one-time-code fields and shortcuts need. */
const TYPED_BY_KEY = 100;

export async function keyPress(attempt: Attempt, { selector, params }: ActionOf<"key_press">): Promise<null> {
  const keys = params.key === undefined ? null : parseKeys(params.key);
  const text = params.credential_ref === undefined ? params.text : credential(attempt, params.credential_ref);
  if (selector && text !== undefined) await fill(attempt, selector, text);
  else if (selector) await focus(attempt, selector);
  const link = await attempt.tabs.ready(attempt.signal);
  if (!selector && text !== undefined) await typeHere(attempt, link, text);
  if (keys) await press(attempt, link, keys);
  await handled(link, attempt.signal);
  return null;
}

function credential({ context }: Attempt, name: string): string {
  if (!context.credential) throw new ActionError(`Cannot type the credential "${name}": this run has none`);
  return context.credential(name);
}

/** Replaces the field's content. A field that is replaced while we type is filled once more: the outcome is the same. */
async function fill(attempt: Attempt, selector: NonNullable<ActionOf<"key_press">["selector"]>, text: string): Promise<void> {
  for (;;) {
    const found = await locate(attempt, selector, { verb: "type into", want: "visible", task: "fill", arg: { text } });
    if (await typeInto(attempt, found, text)) return;
    attempt.obstacle = `${shown(found.selector)}: the field was replaced`;
    await pause(20, attempt.signal);
  }
}

async function typeInto(attempt: Attempt, { link, frame, done, at }: Found, text: string): Promise<boolean> {
  const { signal } = attempt;
  const { step, box } = done as FillPlan;
  await attempt.context.observe?.input(frame.parent ? {} : { point: { x: box.x + box.width / 2, y: box.y + box.height / 2 }, box });
  signal.throwIfAborted();
  markInput(link, { typed: true, at });
  sent(attempt);
  if (step === "type") await untilAborted(link.session.send("Input.insertText", { text }).catch(gone), signal);
  if (step === "clear") await untilAborted(link.page.keyboard.press("Delete").catch(gone), signal);
  if (step === "done") return true;
  return await link.call(frame, "typed", undefined, signal).catch((error: unknown) => {
    if (error instanceof FrameGone) return link.activity.isNavigating; // what was typed has led on, or the frame was drawn anew
    throw error;
  });
}

async function focus(attempt: Attempt, selector: NonNullable<ActionOf<"key_press">["selector"]>): Promise<void> {
  await locate(attempt, selector, { verb: "press a key in", want: "visible", task: "focus" });
}

async function typeHere(attempt: Attempt, link: PageLink, text: string): Promise<void> {
  await attempt.context.observe?.input({});
  attempt.signal.throwIfAborted();
  markInput(link, { typed: true });
  sent(attempt);
  const { keyboard } = link.page;
  const typing = text.length <= TYPED_BY_KEY ? keyboard.type(text) : link.session.send("Input.insertText", { text });
  await untilAborted(typing.catch(gone), attempt.signal);
}

async function press(attempt: Attempt, link: PageLink, { modifiers, key }: { modifiers: KeyInput[]; key: KeyInput }): Promise<void> {
  const { keyboard } = link.page;
  await attempt.context.observe?.input({});
  attempt.signal.throwIfAborted();
  markInput(link, { typed: key.length === 1 || key === "Backspace" || key === "Delete" });
  sent(attempt);
  const pressing = (async () => {
    for (const modifier of modifiers) await keyboard.down(modifier);
    try {
      await keyboard.press(key);
    } finally {
      for (const modifier of modifiers.toReversed()) await keyboard.up(modifier);
    }
  })();
  await untilAborted(pressing.catch(gone), attempt.signal);
}

/** From here on it may have reached the page, whatever happens to us. */
function sent(attempt: Attempt): void {
  attempt.dispatched = true;
  attempt.obstacle = null;
}

const gone = (): void => {}; // the page went away under the key, as it does when one closes a tab
