/** The address of a page or frame that Chrome has already loaded: is it one where a run may be? */
import type { Verdict } from "../../shared/guardrails.ts";
import type { Policy } from "./policy.ts";

/** Chrome's own pages that stand for "nothing here". */
const EMPTY = /^(?:|about:blank(?:[?#].*)?|about:srcdoc|chrome-error:\/\/chromewebdata\/.*)$/;

/**
 * A page comes to `file:`, `chrome:` and the like only past everything that should have kept it away, so that ends the run.
 * `blob:` holds what a page made by itself, `data:` the same for a frame. Null: nothing against it.
 */
export function judgeCommitted(policy: Policy, url: string, where: "main" | "frame"): Verdict | null {
  if (EMPTY.test(url) || /^blob:https?:/.test(url) || (where === "frame" && /^(?:data|blob):/.test(url))) return null;
  const verdict = policy.judgeShown(url);
  return verdict?.rule === "url_scheme" ? { ...verdict, kind: "stop", reason: `The page left the web: ${verdict.reason}` } : verdict;
}
