/** A picture of a page, over our own session and under a time limit: puppeteer's own would block closing a page that hangs. */
import type { Page } from "puppeteer-core";
import { withDeadline } from "../../shared/deadline.ts";
import type { Redactor } from "../secrets/redactor.ts";
import { ActionError } from "./action-error.ts";
import { coverSecrets } from "./cover-secrets.ts";
import { linkOf } from "./page-link.ts";

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
  const { signal, quality = 55, limitMs = 3_000, format = "jpeg", secrets } = options;
  const late = () => new ActionError(`Cannot take a screenshot: the page gave none within ${limitMs} ms`);
  return await withDeadline(
    limitMs,
    async (limited) => {
      const link = await linkOf(page);
      await using _covered = secrets ? await coverSecrets(link, secrets, limited) : null;
      const how = format === "png" ? { format } : { format, quality };
      const { data } = await link.session.send("Page.captureScreenshot", { ...how, optimizeForSpeed: true }, { timeout: limitMs * 2 });
      return Buffer.from(data, "base64");
    },
    { signal, reason: late },
  );
}
