/** A picture of a page, over our own session and under a time limit: puppeteer's own would block closing a page that hangs. */
import type { Page } from "puppeteer-core";
import { pause, withDeadline } from "../../shared/deadline.ts";
import type { Redactor } from "../secrets/redactor.ts";
import { ActionError } from "./action-error.ts";
import { coverSecrets } from "./cover-secrets.ts";
import { linkOf, type PageLink } from "./page-link.ts";

/** The next document is not there yet. */
const RETRY_MS = 20;
/** A page that writes a secret anew for each frame, and the elements around it, is given up after so many. */
const MAX_TORN = 4;

type Options = {
  signal: AbortSignal;
  quality?: number;
  limitMs?: number;
  format?: "jpeg" | "png";
  /** They are covered, and so are fields that hide what they hold. */
  secrets?: Redactor;
};

/** The viewport; `quality` 1–100 of a JPEG. @throws ActionError when the page gives none within `limitMs`, or the signal's reason */
export async function takeScreenshot(page: Page, options: Options): Promise<Uint8Array> {
  const { signal, limitMs = 3_000 } = options;
  const late = () => new ActionError(`Cannot take a screenshot: the page gave none within ${limitMs} ms`);
  return await withDeadline(
    limitMs,
    async (limited) => {
      for (let torn = 0; ; ) {
        const shot = await capture(await linkOf(page), { ...options, boxes: torn > 0 }, limitMs * 2, limited);
        if (typeof shot === "object") return Buffer.from(shot.data, "base64");
        if (shot === "torn") torn += 1;
        if (torn === MAX_TORN) throw new ActionError("Cannot take a screenshot: the page writes a secret anew with each frame");
        await pause(RETRY_MS, limited);
      }
    },
    { signal, reason: late },
  );
}

/**
 * `replaced`: the document was, meanwhile; Chrome may never answer then, and what it gives would show the next one uncovered. `torn`: the page
 * wrote a secret anew as it was drawn.
 */
async function capture(
  link: PageLink,
  { quality = 55, format = "jpeg", secrets, boxes }: Options & { boxes: boolean },
  timeout: number,
  signal: AbortSignal,
): Promise<{ data: string } | "replaced" | "torn"> {
  const { activity, session } = link;
  const { count } = activity.document;
  const isReplaced = () => activity.document.count > count;
  try {
    await using cover = secrets ? await coverSecrets(link, secrets, signal, { boxes }) : null;
    const how = format === "png" ? { format } : { format, quality };
    const shot = session.send("Page.captureScreenshot", { ...how, optimizeForSpeed: true }, { timeout });
    shot.catch(() => {}); // heard of by the race, unless that is over
    const answer = await activity.orOnce(shot, isReplaced, signal);
    if (isReplaced() || answer === null) return "replaced";
    return (await cover?.isTorn()) ? "torn" : answer;
  } catch (error) {
    signal.throwIfAborted();
    if (isReplaced() || activity.isNavigating) return "replaced";
    throw error;
  }
}
