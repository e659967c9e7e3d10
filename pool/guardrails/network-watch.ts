/** Why is the page not there? The egress's own record says so; Chrome's error only says whether its navigation got through. */
import type { Action } from "../../shared/action.ts";
import type { EgressRecord } from "./egress-record.ts";
import type { Block } from "./web-url.ts";

const isErrorPage = (url: string) => url.startsWith("chrome-error:");

/** Chrome's answer to a navigation whose CONNECT failed, refused or unreachable alike. A goto that ran out of time has none. */
const CUT_OFF = "net::ERR_TUNNEL_CONNECTION_FAILED";
const wasCutOff = (error: unknown): boolean =>
  (error as { details?: { net_error?: unknown } | null } | null)?.details?.net_error === CUT_OFF;

type Entries = ReturnType<EgressRecord["since"]>;
/** The latest CONNECT, unless one of them reached nobody: then any may be the one that failed. */
function onlyRefusals(entries: Entries): Entries[number] | undefined {
  const connects = entries.filter(({ kind }) => kind === "connect");
  return connects.every(({ outcome }) => outcome === "refused") ? connects.at(-1) : undefined;
}

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
      // After a failed CONNECT the page is for a moment still the old one.
      const stayed = action.action === "goto" && error !== null && url === from;
      if (!stayed && !isErrorPage(url)) return null;
      const entries = egress
        .since(action.action === "goto" ? mark : earlier)
        .filter((each) => each.outcome !== "refused" || each.rule !== "chrome_background");
      const wanted = action.action === "goto" && URL.canParse(action.params.url) ? new URL(action.params.url).hostname : null;
      const ofWanted = entries.findLast((each) => each.host === wanted);
      // Other hosts' entries may be the old page's: they explain a goto only where its own navigation, led on to another host, was not let through.
      const cause = ofWanted ?? (isErrorPage(url) ? entries.at(-1) : wasCutOff(error) ? onlyRefusals(entries) : undefined);
      if (cause?.outcome !== "refused") return null;
      return { kind: "block", rule: cause.rule, reason: cause.reason, host: cause.host };
    },
  };
}
