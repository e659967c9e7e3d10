/** Sending keys so that they arrive: until a new document is drawn Chrome may drop them, and it tells nobody. */
import { untilAborted } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import type { Attempt } from "./attempt.ts";
import { FrameGone, type PageLink } from "./page-link.ts";
import { markInput } from "./settle.ts";

/** Keys of which the document was given none are sent so often. */
const LOST_KEYS = 3;
/** What puppeteer types with a key of its own; it inserts the rest as text, which is not dropped. */
const KEYS = /[\x20-\x7e\r\n]/g;

type Keys = { text: string | null; typed: boolean };

/**
 * `text`: what is typed, null where it is one key. `typed`: does it change what a field holds?
 * @throws ActionError, `dispatched`, when Chrome has dropped all of them or some: those that came may have acted
 */
export async function sendKeys(attempt: Attempt, link: PageLink, { text, typed }: Keys, send: () => Promise<unknown>): Promise<void> {
  const { signal, context } = attempt;
  const { activity } = link;
  const expected = text === null ? 1 : (text.match(KEYS)?.length ?? 0);
  for (let lost = 0; ; ) {
    const before = await link.call(link.main, "keys", undefined, signal).catch(ifGone);
    const { documents, windows } = { documents: activity.document.count, windows: activity.windowsOpened };
    const began = () => activity.isNavigating || activity.document.count > documents || activity.windowsOpened > windows;
    markInput(link, { typed });
    sent(attempt);
    await untilAborted(send().catch(gone), signal);
    if (!before?.mayDrop || began()) return;
    const after = await activity.orOnce(link.call(link.main, "keys", undefined, signal).catch(ifGone), began, signal);
    if (after === null || after.down - before.down >= expected) return; // null: its document went away, the keys did that
    lost += 1;
    const came = after.down - before.down;
    if (lost === LOST_KEYS || came > 0 || (text !== null && expected < text.length)) {
      const words = came > 0 ? `${came} of ${expected} keys` : "no key";
      throw new ActionError(`Cannot type: ${words} reached the page, which is not drawn yet: Chrome has dropped them`, {
        dispatched: true,
      });
    }
    context.observe?.log("Chrome has dropped the keys: they are sent again");
  }
}

/** From here on it may have reached the page, whatever happens to us. */
export function sent(attempt: Attempt): void {
  attempt.dispatched = true;
  attempt.obstacle = null;
}

export const gone = (): void => {}; // the page went away under the key, as it does when one closes a tab

const ifGone = (error: unknown): null => {
  if (error instanceof FrameGone) return null;
  throw error;
};
