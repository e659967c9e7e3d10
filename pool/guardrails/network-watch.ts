/** Why is the page not there? The egress's own record says so; the text of Chrome's error never does. */
import type { Action } from "../../shared/action.ts";
import type { EgressRecord } from "./egress-record.ts";
import type { Block } from "./web-url.ts";

const isErrorPage = (url: string) => url.startsWith("chrome-error:");

/**
 * Looks at refusals since the action was asked for, or, once Chrome shows its error page, since the action before: a click's
 * navigation may fail only after the click is over. What Chrome itself tried explains nothing.
 */
export function createNetworkWatch(egress: EgressRecord) {
  let mark = egress.mark();
  let earlier = mark;
  let from = "";

  return {
    asked(url: string): void {
      if (!isErrorPage(url)) earlier = mark;
      mark = egress.mark();
      from = url;
    },
    cause({ action, url, error }: { action: Action; url: string; error: unknown }): Block | null {
      // Puppeteer takes an empty 403 for a page, and after a failed CONNECT the page is for a moment still the old one.
      const stayed = action.action === "goto" && error !== null && url === from;
      if (!stayed && !isErrorPage(url)) return null;
      const entries = egress
        .since(action.action === "goto" ? mark : earlier)
        .filter((each) => each.outcome !== "refused" || each.rule !== "chrome_background");
      const wanted = action.action === "goto" && URL.canParse(action.params.url) ? new URL(action.params.url).hostname : null;
      const cause = entries.findLast((each) => each.host === wanted) ?? entries.at(-1);
      if (cause?.outcome !== "refused") return null;
      return { kind: "block", rule: cause.rule, reason: cause.reason, host: cause.host };
    },
  };
}
