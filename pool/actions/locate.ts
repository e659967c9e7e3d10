/** From a chain of selectors to one element, in whatever frame it is: looks at once, then for as long as it is worth it. */

import type { Selector } from "../../shared/action.ts";
import { pause } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import { offerAriaMatches } from "./aria.ts";
import type { Attempt } from "./attempt.ts";
import type { LookAnswer, LookRequest } from "./in-page/look.ts";
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
  task: "aim" | "fill" | "focus" | "choose" | "read" | "scroll" | null;
  arg?: unknown;
};
type Seen = { frame: FrameRef; answer: LookAnswer };

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
  for (let stays = 0; ; ) {
    const link = await attempt.tabs.ready(signal);
    const restMs = (open < candidates.length ? openedAt + shareMs : attempt.endAt) - performance.now();
    const waitMs = stays === 0 ? 0 : Math.min(STAY_MS[Math.min(stays, STAY_MS.length) - 1] as number, Math.max(1, restMs));
    const at = performance.now();
    let seen: Seen;
    try {
      seen = await lookEverywhere(link, candidates.slice(0, open), purpose, waitMs, signal);
    } catch (error) {
      if (!(error instanceof FrameGone)) throw error;
      await pause(10, signal); // the next document is not there yet
      restingSince = performance.now();
      continue;
    }
    const { frame, answer } = seen;
    if (answer.kind !== "missing" && answer.kind !== "invalid" && answer.atOnce && isUnsettled(link, "act")) {
      await settle(link, "act", signal); // it may be what the last action is about to replace
      continue;
    }
    stays += 1;
    switch (answer.kind) {
      case "found": {
        const source = (candidates[answer.index] as ParsedSelector).source;
        if (link.input && !answer.atOnce) link.input.seen = true;
        tellChoice(attempt, candidates, answer);
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

/** The main frame first, then the others in order; inside the page for `waitMs`, in all of them at once. The first that has it wins. */
async function lookEverywhere(
  link: PageLink,
  candidates: ParsedSelector[],
  purpose: Purpose,
  waitMs: number,
  signal: AbortSignal,
): Promise<Seen> {
  const request = { queries: candidates, want: purpose.want, task: purpose.task, arg: purpose.arg, goal: "there" as const };
  const main = link.main;
  const frames = link.activity.hasChildFrames ? await link.frames(signal) : [main];
  const look = async (frame: FrameRef, ms: number): Promise<Seen> => {
    await offerAriaMatches(link, frame, candidates, signal);
    return { frame, answer: await link.call(frame, "look", { ...request, waitMs: ms } satisfies LookRequest, signal) };
  };
  if (frames.length === 1) return await look(main, waitMs);
  const once = await look(main, 0);
  if (once.answer.kind !== "missing") return once;
  const rest = await Promise.all(frames.slice(1).map((frame) => look(frame, 0).catch(ifGone)));
  const all = [once, ...rest.filter((each) => each !== null)];
  const best = all.filter(({ answer }) => answer.kind !== "missing").toSorted((a, b) => indexOf(a) - indexOf(b))[0];
  if (best || waitMs === 0) return best ?? merged(all);
  const staying = frames.map((frame) => look(frame, waitMs).catch(ifGone));
  const first = Promise.any(staying.map(async (each) => found(await each))).catch(() => null);
  return (await first) ?? merged((await Promise.all(staying)).filter((each) => each !== null));
}

/** Stays up to `waitMs` until none of the frames has a match for any candidate. */
export async function lookUntilGone(
  link: PageLink,
  candidates: ParsedSelector[],
  want: LookRequest["want"],
  waitMs: number,
  signal: AbortSignal,
): Promise<LookAnswer> {
  const frames = link.activity.hasChildFrames ? await link.frames(signal) : [link.main];
  const answers = await Promise.all(
    frames.map(async (frame) => {
      await offerAriaMatches(link, frame, candidates, signal);
      return await link.call(frame, "look", { queries: candidates, want, task: null, goal: "gone", waitMs } satisfies LookRequest, signal);
    }),
  );
  return answers.find(({ kind }) => kind !== "missing") ?? (answers[0] as LookAnswer);
}

const indexOf = ({ answer }: Seen): number => ("index" in answer ? answer.index : 0);

const ifGone = (error: unknown): null => {
  if (error instanceof FrameGone) return null; // a frame that comes and goes hides nothing in the others
  throw error;
};

function found(seen: Seen | null): Seen {
  if (!seen || seen.answer.kind === "missing") throw new Error("Not here");
  return seen;
}

/** What several frames said that have nothing. */
function merged(all: Seen[]): Seen {
  const answers = all.map(({ answer }) => answer);
  const totals = answers.flatMap((answer) => (answer.kind === "missing" ? [answer.totals] : []));
  const [first] = all;
  if (!first) throw new FrameGone("Every frame was replaced");
  return {
    frame: first.frame,
    answer: {
      kind: "missing",
      totals: (totals[0] ?? []).map((_, i) => totals.reduce((sum, each) => sum + (each[i] ?? 0), 0)),
      atOnce: false,
      changed: answers.some(({ changed }) => changed),
      loading: answers.some(({ loading }) => loading),
      busy: answers.map(({ busy }) => busy).find((busy) => busy !== null) ?? null,
    },
  };
}

function tellChoice(attempt: Attempt, candidates: ParsedSelector[], answer: Extract<LookAnswer, { kind: "found" }>): void {
  const { observe } = attempt.context;
  if (!observe) return;
  const source = shown((candidates[answer.index] as ParsedSelector).source);
  observe.log(`${answer.index === 0 ? "Found" : `Found by fallback ${answer.index}`}: ${source} → ${answer.what}`);
  const hidden = answer.total - answer.visible;
  if (answer.visible > 1) observe.log(`${answer.visible} visible elements match; the first one was taken`);
  if (answer.visible === 1 && hidden > 0) observe.log(`${hidden} more match, but ${hidden === 1 ? "is" : "are"} hidden`);
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
