/** Did the page go away under us? That is the run's course, not a fault of its recording. */
import type { Page } from "puppeteer-core";

/** Names of puppeteer's error classes; it does not export the type of the first. */
const GONE = new Set(["TargetCloseError", "ConnectionClosedError"]);

export function isGone(page: Page, error: unknown): boolean {
  if (page.isClosed()) return true;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (GONE.has(cause.name)) return true; // the page itself learns of it a little later
  }
  return false;
}
