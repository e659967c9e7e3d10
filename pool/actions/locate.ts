/** From a chain of selectors to one element, in whatever frame it is: looks at once, then for as long as it is worth it. */

import type { Selector } from "../../shared/action.ts";
import { pause } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import type { Attempt } from "./attempt.ts";
import { lookEverywhere, type Seen } from "./frame-looks.ts";
import type { FillPlan } from "./in-page/edit.ts";
import type { LookAnswer } from "./in-page/look.ts";
import { FrameGone, type FrameRef, type PageLink } from "./page-link.ts";
import { type ParsedSelector, parseSelector, shown } from "./selector-syntax.ts";
import { isUnsettled, settle } from "./settle.ts";

/** A candidate gets so long on a page that is at rest; then the next one may be taken too. */
const CANDIDATE_MS = 800;
/** One stay inside the page; the first ones are short, so that a page which became busy or went away is noticed. */
const STAY_MS = [100, 150, 250];

/** `at`: `performance.now()` before the look that found it, and did the task. */
export type Found = { link: PageLink; frame: FrameRef; selector: string; what: string; done: unknown; at: number };
export type Purpose = {
  verb: string;
  want: "visible" | "attached";
  task: "aim" | "fill" | "focus" | "choose" | "read" | "scroll" | "map" | "own" | null;
  arg?: unknown;
};

/** What an observer is told of as it is found; of what gets input, when that is sent. */
const GETS_NO_INPUT: Purpose["task"][] = ["choose", "read", "scroll", null];

/**
 * Finds the element and does the task on it, in one go. The primary selector first; a fallback may win once those before it have had their time.
 * @throws ActionError: a selector that the browser refuses, an element that can never take the action. Out of time, the signal's reason.
 */
export async function locate(attempt: Attempt, selector: Selector, purpose: Purpose): Promise<Found> {
  return await locateAny(attempt, [selector.primary, ...selector.fallbacks].map(parseSelector), purpose);
}

/** As `locate`, with parsed candidates. */
export async function locateAny(attempt: Attempt, candidates: ParsedSelector[], purpose: Purpose): Promise<Found> {
  const { signal } = attempt;
  const shareMs = (attempt.endAt - performance.now()) / candidates.length;
  let open = 1;
  let openedAt = performance.now();
  let restingSince = openedAt;
  const deaf = new Map<string, number>();
  const tellsWay = attempt.context.observe !== undefined && GETS_NO_INPUT.includes(purpose.task);
  for (let stays = 0; ; ) {
    const link = await attempt.tabs.ready(signal);
    const restMs = (open < candidates.length ? openedAt + shareMs : attempt.endAt) - performance.now();
    const waitMs = stays === 0 ? 0 : Math.min(STAY_MS[Math.min(stays, STAY_MS.length) - 1] as number, Math.max(1, restMs));
    const at = performance.now();
    const task = isUnsettled(link, "act") ? null : purpose.task; // it is done once, and not to what the last action is about to replace
    let seen: Seen;
    try {
      seen = await lookEverywhere(
        { link, queries: candidates.slice(0, open), chain: candidates, ...purpose, task, tellsWay, deaf, signal },
        waitMs,
      );
    } catch (error) {
      if (!(error instanceof FrameGone)) throw error;
      await pause(10, signal); // the next document is not there yet
      restingSince = performance.now();
      continue;
    }
    const { frame, answer } = seen;
    if (answer.kind !== "missing" && answer.kind !== "invalid" && answer.atOnce && isUnsettled(link, "act") && !isDone(answer, task)) {
      await settle(link, "act", signal);
      continue;
    }
    if (answer.kind === "found" && !answer.atOnce && link.input) link.input.seen = true;
    if (answer.kind === "found" && task !== purpose.task) continue; // found, and now for the task
    stays += 1;
    switch (answer.kind) {
      case "found": {
        const source = (candidates[answer.index] as ParsedSelector).source;
        tellChoice(attempt, candidates, answer);
        if (answer.way) attempt.context.observe?.found(link.page, { frameId: frame.id, ...answer.way });
        return { link, frame, selector: source, what: answer.what, done: answer.done, at };
      }
      case "invalid":
        throw invalid(purpose, candidates[answer.index] as ParsedSelector, answer.why);
      case "never":
        throw new ActionError(
          `Cannot ${purpose.verb} ${shown((candidates[answer.index] as ParsedSelector).source)}: ${answer.why} (${answer.what})`,
          {
            details: { selector: (candidates[answer.index] as ParsedSelector).source },
          },
        );
      case "notYet":
        attempt.obstacle = `${shown((candidates[answer.index] as ParsedSelector).source)}: ${answer.why}`;
        break;
      case "missing": {
        attempt.obstacle = missing(candidates, answer.totals);
        const now = performance.now();
        if (answer.changed || answer.loading || answer.busy !== null || link.activity.isBusy) restingSince = now;
        if (open < candidates.length && (now - Math.max(restingSince, openedAt) >= CANDIDATE_MS || now - openedAt >= shareMs)) {
          open += 1;
          openedAt = now;
          stays = 0; // it is looked for at once
        }
      }
    }
  }
}

/** Has it been done to the page already? What only makes an element ready is done again where the page may change under it. */
function isDone(answer: LookAnswer, task: Purpose["task"]): boolean {
  if (answer.kind !== "found") return false;
  return task === "choose" || task === "scroll" || (task === "fill" && (answer.done as FillPlan).step === "done");
}

function tellChoice(attempt: Attempt, candidates: ParsedSelector[], answer: Extract<LookAnswer, { kind: "found" }>): void {
  const { observe, onChoice } = attempt.context;
  onChoice?.(answer.index);
  if (!observe) return;
  const source = shown((candidates[answer.index] as ParsedSelector).source);
  observe.log(`${answer.index === 0 ? "Found" : `Found by fallback ${answer.index}`}: ${source} → ${answer.what}`);
  const hidden = answer.total - answer.visible;
  if (answer.visible > 1)
    observe.log(
      `${answer.visible} visible elements match; ${answer.agreed ? "the one that another selector of the chain finds too" : "the first one"} was taken`,
    );
  if (answer.visible === 1 && hidden > 0) observe.log(`${hidden} more ${hidden === 1 ? "matches, but is" : "match, but are"} hidden`);
}

/** Each candidate with what became of it. */
function missing(candidates: ParsedSelector[], totals: number[]): string {
  return candidates
    .map(({ source }, i) => {
      const total = totals[i];
      const found =
        total === undefined
          ? "not tried"
          : total === 0
            ? "nothing matches"
            : total === 1
              ? "one match, hidden"
              : `${total} matches, all hidden`;
      return `${shown(source)}: ${found}`;
    })
    .join("; ");
}

const invalid = ({ verb }: Purpose, { source }: ParsedSelector, why: string): ActionError =>
  new ActionError(`Cannot ${verb} ${shown(source)}: it is not a valid selector: ${why.split("\n")[0]}`, {
    details: { selector: source, invalid: true },
  });
