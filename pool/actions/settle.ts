/** Waiting for what the last input has visibly started. Best effort: it never fails a step. */
import { FrameGone, type PageLink } from "./page-link.ts";

/** From the last input, or from the document that it led to. */
const SETTLE_MS = 3_000;
/** Typing often starts something only after a moment of silence; what is read straight after it would be of before. */
const DEBOUNCE_MS = 400;

/** The last input to a page. */
export type Input = {
  at: number;
  typed: boolean;
  /** When the page had handled it; what begins later is not its doing, or follows from what was. */
  handledAt: number;
  /** A timer that it set was set before: unlike `handledAt` it stays when what it has asked for is answered. */
  reachedAt: number;
  /** Has something been found since that was not there before? Then its effects have come. */
  seen: boolean;
};

/** Input is about to be sent, or was sent at that time: what began since is its doing. */
export function markInput(link: PageLink, { typed = false, at = performance.now() } = {}): void {
  link.input = { at, typed, handledAt: Number.POSITIVE_INFINITY, reachedAt: at, seen: false };
}

/**
 * Has the last input started anything that is not done yet? Then what is found now may be about to go. To act it is enough that the page's
 * code is there, and what the input itself asked for; to read, that everything is.
 */
export function isUnsettled({ activity, input }: PageLink, purpose: "act" | "read"): boolean {
  const { document, isNavigating } = activity;
  if (isNavigating) return true;
  if (!input || performance.now() - Math.max(input.at, document.since) > SETTLE_MS) return false;
  if (purpose === "act" && input.seen) return false;
  const isNew = document.since > input.at;
  if (!document.loaded) return isNew;
  if (purpose === "read") return activity.pending(isNew ? document.since : input.at);
  return isNew ? activity.pending(document.since, undefined, "code") : activity.pending(input.at, input.handledAt);
}

/** Resolves when the requests that began since the last input are done, and the page was drawn after them. */
export async function settle(link: PageLink, purpose: "act" | "read", signal: AbortSignal): Promise<void> {
  const { activity, input } = link;
  while (isUnsettled(link, purpose)) {
    await activity.until(() => !isUnsettled(link, purpose), SETTLE_MS, signal);
    await rest(link, 1, signal);
    if (input) input.handledAt = performance.now(); // what those answers have asked for in turn belongs to it
  }
}

/** What a page that rests is wanted for. A picture draws it once more itself, and does not wait for what typing has not begun at once. */
export type RestFor = "reading" | "picture";

/** What the last input started is done and, for reading, drawn, and what it set a timer for has begun. */
export async function settleFor(what: RestFor, link: PageLink, signal: AbortSignal): Promise<void> {
  const { activity, input } = link;
  await settle(link, "read", signal);
  const sinceMs = performance.now() - (input?.reachedAt ?? Number.NEGATIVE_INFINITY); // a busy page starts its timer late
  if (!input || input.seen || sinceMs > DEBOUNCE_MS) return;
  if (input.typed && what === "reading") await activity.until(() => isUnsettled(link, "read"), DEBOUNCE_MS - sinceMs, signal);
  await rest(link, what === "reading" ? 1 : 0, signal);
  await settle(link, "read", signal);
}

/** Lets what is queued in the page run and, `frames` times, the page be drawn. Ends early when a navigation begins. */
export async function rest(link: PageLink, frames: number, signal: AbortSignal): Promise<void> {
  const resting = link.call(link.main, "rest", { frames }, signal).catch((error: unknown) => {
    if (!(error instanceof FrameGone)) throw error;
  });
  await link.activity.orOnce(resting, () => link.activity.isNavigating, signal);
}

/** After input: the page has handled it, and what it began at once has begun. */
export async function handled(link: PageLink, signal: AbortSignal): Promise<void> {
  const { input } = link;
  await rest(link, 0, signal);
  if (input) input.handledAt = input.reachedAt = performance.now();
}
