/** A picture of a page, over our own session and under a time limit: puppeteer's own would block closing a page that hangs. */
import type { Page } from "puppeteer-core";
import { withDeadline } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import { linkOf } from "./page-link.ts";

/** JPEG of the viewport; `quality` 1–100. @throws ActionError when the page gives none within `limitMs`, or the signal's reason */
export async function takeScreenshot(
  page: Page,
  options: { signal: AbortSignal; quality?: number; limitMs?: number },
): Promise<Uint8Array> {
  const { signal, quality = 55, limitMs = 3_000 } = options;
  const late = () => new ActionError(`Cannot take a screenshot: the page gave none within ${limitMs} ms`);
  return await withDeadline(
    limitMs,
    async () => {
      const { session } = await linkOf(page);
      const { data } = await session.send(
        "Page.captureScreenshot",
        { format: "jpeg", quality, optimizeForSpeed: true },
        { timeout: limitMs * 2 },
      );
      return Buffer.from(data, "base64");
    },
    { signal, reason: late },
  );
}
