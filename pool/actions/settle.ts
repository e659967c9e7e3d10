/** Waiting for what an action has visibly started. Best effort: it never fails a step. */
import { FrameGone, type PageLink } from "./page-link.ts";

/** From the last input, or from the document that it led to. */
const SETTLE_MS = 3_000;

/** Has the last action started anything that is not done yet? Then what is found now may be about to go. */
export const isUnsettled = ({ activity }: PageLink): boolean =>
  activity.sinceInputMs < SETTLE_MS && (activity.navigation !== null || activity.pending > 0 || !activity.loaded);

/** Resolves when the requests that began since the last input are done, and the page was drawn after them. */
export async function settle(link: PageLink, signal: AbortSignal): Promise<void> {
  const { activity } = link;
  while (isUnsettled(link)) {
    const quiet = await activity.until(() => !isUnsettled(link), SETTLE_MS - activity.sinceInputMs, signal);
    if (!quiet) return;
    await rest(link, 1, signal);
  }
}

/** Lets what is queued in the page run and, `frames` times, the page be drawn. Ends early when a navigation begins. */
export async function rest(link: PageLink, frames: number, signal: AbortSignal): Promise<void> {
  const resting = link.call(link.main, "rest", { frames }, signal).catch((error: unknown) => {
    if (!(error instanceof FrameGone)) throw error;
  });
  await link.activity.orOnce(resting, () => link.activity.navigation !== null, signal);
}

/** Typing often starts something only after a moment of silence; what is read straight after it would be of before. */
const DEBOUNCE_MS = 400;

/** Before a page is read: what the last action started is done, and what it set a timer for has begun. */
export async function settleForReading(link: PageLink, signal: AbortSignal): Promise<void> {
  await settle(link, signal);
  if (link.activity.sinceInputMs > DEBOUNCE_MS) return;
  if (link.activity.typed) {
    await link.activity.until(() => isUnsettled(link), DEBOUNCE_MS - link.activity.sinceInputMs, signal);
    await settle(link, signal);
  }
  await rest(link, 1, signal);
}
