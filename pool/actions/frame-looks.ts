/** One look in all frames of a page. */
import { withDeadline } from "../../shared/deadline.ts";
import { offerAriaMatches } from "./aria.ts";
import type { LookAnswer, LookRequest } from "./in-page/look.ts";
import { FrameGone, type FrameRef, type PageLink } from "./page-link.ts";
import type { ParsedSelector } from "./selector-syntax.ts";

/** A child frame that does not answer for so long is left out for a while: a hung advertisement must not hang the run. */
const DEAF_MS = 500;
const LEFT_OUT_MS = 1_500;

export type View = {
  link: PageLink;
  queries: ParsedSelector[];
  /** Those that get no look yet, too. */
  chain: ParsedSelector[];
  want: LookRequest["want"];
  task: string | null;
  arg?: unknown;
  tellsWay: boolean;
  /** Frames that did not answer, and when (`performance.now()`) they are asked again. */
  deaf: Map<string, number>;
  signal: AbortSignal;
};
export type Seen = { frame: FrameRef; answer: LookAnswer };

/**
 * The main frame first, then the others in order; then inside the page for up to `waitMs`, in all of them at once, and the first that has it
 * wins. With several frames the task waits until one is chosen, so that it is done once.
 */
export async function lookEverywhere(view: View, waitMs: number): Promise<Seen> {
  const { link, signal } = view;
  const frames = link.activity.hasChildFrames ? await link.frames(signal) : [link.main];
  const [main, ...others] = frames as [FrameRef, ...FrameRef[]];
  const once = await look(view, main, frames.length === 1 ? waitMs : 0);
  if (frames.length === 1 || once.answer.kind !== "missing") return once;
  const without = { ...view, task: null };
  const seen = [once, ...(await lookInto(without, others, 0))];
  const best = seen.filter(({ answer }) => answer.kind !== "missing").toSorted((a, b) => indexOf(a) - indexOf(b))[0];
  if (best) return await perform(view, best);
  if (waitMs === 0) return merged(seen);
  const staying = frames.map((frame) => lookInto(without, [frame], waitMs));
  const found = staying.map(async (each) => {
    const here = (await each).find(({ answer }) => answer.kind !== "missing");
    if (!here) throw new FrameGone("Not here");
    return here;
  });
  const first = await Promise.any(found).catch(() => null);
  return first ? await perform(view, first) : merged((await Promise.all(staying)).flat());
}

/** Stays up to `waitMs` until none of the frames has a match for any candidate. */
export async function lookUntilGone(view: View, waitMs: number): Promise<LookAnswer> {
  const { link, signal } = view;
  const [main, ...others] = (link.activity.hasChildFrames ? await link.frames(signal) : [link.main]) as [FrameRef, ...FrameRef[]];
  const [here, there] = await Promise.all([look(view, main, waitMs, "gone"), lookInto(view, others, waitMs, "gone")]);
  return [here, ...there].find(({ answer }) => answer.kind !== "missing")?.answer ?? here.answer;
}

/** Does the task where it was found without one. */
async function perform(view: View, { frame, answer }: Seen): Promise<Seen> {
  if (view.task === null || answer.kind !== "found") return { frame, answer };
  const done = await look(view, frame, 0);
  return { frame, answer: { ...done.answer, atOnce: answer.atOnce } };
}

async function look(
  { link, queries, chain, want, task, arg, tellsWay, signal }: View,
  frame: FrameRef,
  waitMs: number,
  goal: LookRequest["goal"] = "there",
): Promise<Seen> {
  await offerAriaMatches(link, frame, queries, signal);
  return { frame, answer: await link.call(frame, "look", { queries, chain, want, task, arg, tellsWay, goal, waitMs }, signal) };
}

/** Frames that are gone, or deaf, say nothing. */
async function lookInto(view: View, frames: FrameRef[], waitMs: number, goal: LookRequest["goal"] = "there"): Promise<Seen[]> {
  const looks = frames.map(async (frame): Promise<Seen[]> => {
    if (frame.deaf || (view.deaf.get(frame.id) ?? 0) > performance.now()) return [];
    try {
      if (!frame.parent) return [await look(view, frame, waitMs, goal)];
      return [await withDeadline(waitMs + DEAF_MS, (signal) => look({ ...view, signal }, frame, waitMs, goal), { signal: view.signal })];
    } catch (error) {
      view.signal.throwIfAborted();
      if (!(error instanceof FrameGone)) view.deaf.set(frame.id, performance.now() + LEFT_OUT_MS);
      return [];
    }
  });
  return (await Promise.all(looks)).flat();
}

const indexOf = ({ answer }: Seen): number => ("index" in answer ? answer.index : 0);

/** What several frames said that have nothing. */
function merged(seen: Seen[]): Seen {
  const [first] = seen;
  if (!first) throw new FrameGone("Every frame was replaced");
  const answers = seen.map(({ answer }) => answer);
  const totals = answers.flatMap((answer) => (answer.kind === "missing" ? [answer.totals] : []));
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
