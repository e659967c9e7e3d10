/** Typing: into a field, whose content it replaces, or where the focus is; then a key. */
import type { KeyInput } from "puppeteer-core";
import type { Selector } from "../../shared/action.ts";
import { pause, untilAborted } from "../../shared/deadline.ts";
import type { SecretValue } from "../../shared/secret-value.ts";
import { ActionError } from "./action-error.ts";
import type { ActionOf, Attempt } from "./attempt.ts";
import type { FillPlan } from "./in-page/edit.ts";
import { parseKeys } from "./keys.ts";
import { type Found, locate } from "./locate.ts";
import { FrameGone, type PageLink } from "./page-link.ts";
import { permitKey } from "./permit-key.ts";
import { shown } from "./selector-syntax.ts";
import { gone, sendKeys, sent } from "./send-keys.ts";
import { handled, markInput } from "./settle.ts";
import { TYPED_BY_KEY, typeByKey } from "./type-by-key.ts";
import { typeSecret, typeSecretHere } from "./type-secret.ts";

type Text = string | SecretValue;

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

function credential({ context }: Attempt, name: string): SecretValue {
  if (!context.credential) throw new ActionError(`Cannot type the credential "${name}": this run has none`);
  return context.credential(name);
}

/** Replaces the field's content. A field that is replaced while we type is filled once more: the outcome is the same. */
async function fill(attempt: Attempt, selector: Selector, text: Text): Promise<void> {
  for (;;) {
    const arg = typeof text === "string" ? { text } : { text: null }; // a secret goes to the one frame that takes it, see `typeSecret`
    const found = await locate(attempt, selector, { verb: "type into", want: "visible", task: "fill", arg });
    if (await typeInto(attempt, found, text)) return;
    attempt.obstacle = `${shown(found.selector)}: the field was replaced`;
    await pause(20, attempt.signal);
  }
}

async function typeInto(attempt: Attempt, found: Found, text: Text): Promise<boolean> {
  const { link, frame, done, at } = found;
  const { signal } = attempt;
  const { step, box, hidden } = done as FillPlan;
  const point = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  await attempt.context.observe?.input({
    page: link.page,
    at: { frameId: frame.id, ...point, box },
    ...(frame.parent ? {} : { point, box }),
  });
  signal.throwIfAborted();
  if (typeof text === "string" && hidden) attempt.context.learn?.(text);
  markInput(link, { typed: true, at });
  if (typeof text !== "string" && (text.origins !== null || step === "put")) return await typeSecret(attempt, found, text);
  sent(attempt);
  const typed = typeof text === "string" ? text : text.reveal();
  if (step === "type") await untilAborted(link.session.send("Input.insertText", { text: typed }).catch(gone), signal);
  if (step === "clear") await untilAborted(link.page.keyboard.press("Delete").catch(gone), signal);
  if (step === "done") return true;
  return await link.call(frame, "typed", undefined, signal).catch((error: unknown) => {
    if (error instanceof FrameGone) return link.activity.isNavigating; // what was typed has led on, or the frame was drawn anew
    throw error;
  });
}

async function focus(attempt: Attempt, selector: Selector): Promise<void> {
  await locate(attempt, selector, { verb: "press a key in", want: "visible", task: "focus" });
}

async function typeHere(attempt: Attempt, link: PageLink, text: Text): Promise<void> {
  await attempt.context.observe?.input({ page: link.page });
  attempt.signal.throwIfAborted();
  if (typeof text !== "string") return await typeSecretHere(attempt, link, text);
  if (text.length <= TYPED_BY_KEY) return await typeByKey(attempt, link, text);
  markInput(link, { typed: true });
  sent(attempt);
  await untilAborted(link.session.send("Input.insertText", { text }).catch(gone), attempt.signal);
}

async function press(attempt: Attempt, link: PageLink, { modifiers, key }: { modifiers: KeyInput[]; key: KeyInput }): Promise<void> {
  const { keyboard } = link.page;
  await permitKey(attempt, link, key);
  await attempt.context.observe?.input({ page: link.page });
  attempt.signal.throwIfAborted();
  const typed = key.length === 1 || key === "Backspace" || key === "Delete";
  await sendKeys(attempt, link, { text: null, typed }, async () => {
    for (const modifier of modifiers) await keyboard.down(modifier);
    try {
      await keyboard.press(key);
    } finally {
      for (const modifier of modifiers.toReversed()) await keyboard.up(modifier);
    }
  });
}
