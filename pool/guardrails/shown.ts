/** The address of a page that Chrome has already loaded: is it one where a run may be? */
import type { Verdict } from "../../shared/guardrails.ts";
import type { Policy } from "./policy.ts";

/** Chrome's own pages that stand for "nothing here". */
const EMPTY = /^(?:|about:blank(?:[?#].*)?|about:srcdoc|chrome-error:\/\/chromewebdata\/.*)$/;

/**
 * A page comes to `file:`, `chrome:` and the like only past everything that should have kept it away, so that ends the run.
 * `blob:` holds what a page made by itself. Null: nothing against it. Frames are not asked about: nobody acts on one that the network has not let
 * through, and Chrome has some of its own, as in its viewer of PDFs.
 */
export function judgeCommitted(policy: Policy, url: string): Verdict | null {
  if (EMPTY.test(url) || /^blob:https?:/.test(url)) return null;
  const verdict = policy.judgeShown(url);
  return verdict?.rule === "url_scheme" ? { ...verdict, kind: "stop", reason: `The page left the web: ${verdict.reason}` } : verdict;
}
