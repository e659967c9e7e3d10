/** Text as a person types it: each character is a key of its own, and a space or a line break presses what has the focus. */
import type { Attempt } from "./attempt.ts";
import type { PageLink } from "./page-link.ts";
import { byPress, permitKey } from "./permit-key.ts";
import { sendKeys } from "./send-keys.ts";

/** Up to here text is typed so, which one-time-code fields and shortcuts need; longer text is put in at once. */
export const TYPED_BY_KEY = 100;

/** @throws what the judge of clicks says against a character that presses something; those before it were typed */
export async function typeByKey(attempt: Attempt, link: PageLink, text: string): Promise<void> {
  for (const part of attempt.context.permit ? byPress(text) : [text]) {
    await permitKey(attempt, link, part.charAt(0));
    attempt.signal.throwIfAborted();
    await sendKeys(attempt, link, { text: part, typed: true }, () => link.page.keyboard.type(part));
  }
}
