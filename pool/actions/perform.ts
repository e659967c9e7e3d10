/** The one way to a page: every action of every run is performed here. */
import { PuppeteerError } from "puppeteer-core";
import { ACTION_TIMEOUT_MS, type Action, NAVIGATION_TIMEOUT_MS, type SimpleActionName } from "../../shared/action.ts";
import { ActionError } from "./action-error.ts";
import type { ActionOf, Attempt, PerformContext } from "./attempt.ts";
import { click } from "./click.ts";
import { evaluate } from "./evaluate.ts";
import { extract } from "./extract.ts";
import { goto } from "./goto.ts";
import { keyPress } from "./key-press.ts";
import { FrameGone } from "./page-link.ts";
import { isOutOfTime, runAttempt, seconds } from "./run-attempt.ts";
import { scroll } from "./scroll.ts";
import { select } from "./select.ts";
import { shown } from "./selector-syntax.ts";
import type { Tabs } from "./tabs.ts";
import { waitFor } from "./wait-for.ts";

export type { ActionObserver, PerformContext } from "./attempt.ts";

export type Performed = {
  /** What the action has to tell: an extracted text, the result of a script, an option's value, the status of a page that is an error. */
  text: string | null;
  /** Where the active page is afterwards. */
  url: string;
  /** Was input sent to the page? */
  dispatched: boolean;
};

const WORK: { [N in SimpleActionName]: (attempt: Attempt, action: ActionOf<N>) => Promise<string | null> } = {
  goto,
  click,
  key_press: keyPress,
  scroll,
  wait_for: waitFor,
  select,
  extract,
  evaluate,
};

const VERBS: Record<SimpleActionName, string> = {
  goto: "open",
  click: "click",
  key_press: "type into",
  scroll: "scroll",
  wait_for: "wait for",
  select: "select in",
  extract: "extract",
  evaluate: "evaluate",
};

/**
 * Performs one action on the active page, and resolves when its input was handled, and where that began a navigation or opened a tab, when
 * that is there. What else it started is waited for by the next action, if that needs it, or by `tabs.settled()`.
 * @throws ActionError when it cannot be done within its time; the signal's reason at once when that aborts
 */
export async function perform(tabs: Tabs, action: Action, context: PerformContext): Promise<Performed> {
  const timeoutMs = action.timeout_ms ?? (action.action === "goto" ? NAVIGATION_TIMEOUT_MS : ACTION_TIMEOUT_MS);
  const work = async (attempt: Attempt) => {
    const run = WORK[action.action] as (attempt: Attempt, action: Action) => Promise<string | null>;
    return { text: await run(attempt, action), dispatched: attempt.dispatched };
  };
  const done = await runAttempt(tabs, context, timeoutMs, work, (attempt, error) => failure(action, attempt, error));
  await tabs.ready(context.signal).catch((error: unknown) => {
    context.signal.throwIfAborted();
    if (!(error instanceof ActionError || error instanceof PuppeteerError)) throw error; // it has closed its tab: the next action is for another, or says so
  });
  return { ...done, url: tabs.url() };
}

/** What is looked for on an error page is not there: that page is why. */
function failure(action: Action, attempt: Attempt, error: unknown): ActionError {
  const failed = reason(action, attempt, error);
  const trouble = action.action === "goto" ? null : attempt.tabs.trouble();
  if (trouble === null) return failed;
  const { dispatched, code, cause, details } = failed;
  return new ActionError(`${failed.message}; ${trouble}`, { dispatched, code, cause, details: details ?? undefined });
}

function reason(action: Action, attempt: Attempt, error: unknown): ActionError {
  const { dispatched, obstacle, timeoutMs } = attempt;
  if (error instanceof ActionError) {
    const { message, code, details } = error;
    return dispatched && !error.dispatched
      ? new ActionError(message, { dispatched, code, cause: error.cause, details: details ?? undefined })
      : error;
  }
  const what = action.selector ? ` ${shown(action.selector.primary)}` : "";
  const verb = action.action === "key_press" && !action.selector ? "type" : VERBS[action.action];
  const details = { selector: action.selector?.primary ?? null, timeout_ms: timeoutMs };
  if (error instanceof FrameGone || error instanceof PuppeteerError) {
    return new ActionError(`Cannot ${verb}${what}: the page went away`, { dispatched, cause: error });
  }
  if (!isOutOfTime(error)) return new ActionError(`Cannot ${verb}${what}: a fault of ours`, { dispatched, code: "INTERNAL", cause: error });
  const mute = dispatched ? "the page did not come back from it" : (attempt.tabs.heldUpBy() ?? "the page does not answer");
  const why = obstacle ?? `${what.trim() || "on the page"}: ${mute}`;
  return new ActionError(`Cannot ${verb} ${why} (for ${seconds(timeoutMs)})`, { dispatched, details });
}
