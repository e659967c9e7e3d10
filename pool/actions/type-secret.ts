/**
 * Typing a secret that is bound to origins. The frame is asked where it is before the value is sent to it, and puts it into the field itself, in the same breath as it
 * asks once more: Chrome's own `Input.insertText` goes to whatever has the focus when it arrives, and a page can move that.
 */
import { untilAborted } from "../../shared/deadline.ts";
import type { SecretValue } from "../../shared/secret-value.ts";
import { ActionError } from "./action-error.ts";
import type { Attempt } from "./attempt.ts";
import { assertMayBeTyped } from "./credential-origins.ts";
import type { Found } from "./locate.ts";
import { FrameGone, type FrameRef, type PageLink } from "./page-link.ts";
import { shown } from "./selector-syntax.ts";
import { gone, sent } from "./send-keys.ts";
import { markInput } from "./settle.ts";
import { TYPED_BY_KEY, typeByKey } from "./type-by-key.ts";

/**
 * Replaces the content of the field that was found; false: it is not there any more, look again.
 * @throws GUARDRAIL_BLOCKED on an origin to which the credential is not bound
 */
export async function typeSecret(attempt: Attempt, { link, frame, selector }: Found, secret: SecretValue): Promise<boolean> {
  const { signal } = attempt;
  try {
    assertMayBeTyped(secret, await link.call(frame, "place", undefined, signal));
    sent(attempt);
    const outcome = await link.call(frame, "put", { text: secret.reveal(), origins: secret.origins }, signal);
    if ("never" in outcome) throw new ActionError(`Cannot type into ${shown(selector)}: ${outcome.never}`, { details: { selector } });
    return "done" in outcome;
  } catch (error) {
    if (error instanceof FrameGone) return link.activity.isNavigating; // what was typed has led on, or the frame was drawn anew
    throw error;
  }
}

/** Types where the focus is, key by key as one-time codes need it; of a bound credential each key only where it may be typed. */
export async function typeSecretHere(attempt: Attempt, link: PageLink, secret: SecretValue): Promise<void> {
  const { signal } = attempt;
  const text = secret.reveal();
  const isLong = text.length > TYPED_BY_KEY;
  markInput(link, { typed: true });
  for (const part of secret.origins === null || isLong ? [text] : text) {
    for (const frame of await focused(link, secret, signal)) assertMayBeTyped(secret, await link.call(frame, "place", undefined, signal));
    signal.throwIfAborted();
    if (!isLong) await typeByKey(attempt, link, part);
    else {
      sent(attempt);
      await untilAborted(link.session.send("Input.insertText", { text: part }).catch(gone), signal);
    }
  }
  for (const frame of await focused(link, secret, signal)) await link.call(frame, "markFocused", undefined, signal).catch(gone);
}

/** The frames that the next key may go to: the one that has the focus; while none says so, the main one. */
async function focused(link: PageLink, { origins }: SecretValue, signal: AbortSignal): Promise<FrameRef[]> {
  if (!link.activity.hasChildFrames || origins === null) return [link.main];
  const frames = await link.frames(signal);
  const having = await Promise.all(
    frames.map((frame) => link.call(frame, "hasFocus", undefined, AbortSignal.any([signal, AbortSignal.timeout(500)])).catch(() => true)), // who does not answer may have it
  );
  signal.throwIfAborted();
  const these = frames.filter((_, i) => having[i]);
  return these.length > 0 ? these : [link.main];
}
