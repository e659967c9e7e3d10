/** Every selector that finds an element of the live page and no other in any frame: what a repair is proposed with. */
import type { Action } from "../../shared/action.ts";
import { withDeadline } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import type { Proof } from "./in-page/own-chain.ts";
import { type Found, locate } from "./locate.ts";
import type { FrameRef } from "./page-link.ts";
import { runAttempt } from "./run-attempt.ts";
import { type ParsedSelector, parseSelector } from "./selector-syntax.ts";
import type { Tabs } from "./tabs.ts";

/** `chain`: the most stable first. `known`: those of the given ones that find the element already. */
export type OwnChain = { what: string; chain: string[]; known: string[] };

/** The element is about to be touched: it is there, or the action fails anyway. */
const LOOK_MS = 1_500;
const FRAME_MS = 500;

/**
 * Looks for the element as the action will, and proves each way to it on the page as it is: one match in all frames together, and that is it.
 * @throws ActionError when there is no such element; the signal's reason
 */
export async function findOwnChain(tabs: Tabs, action: Action, asked: readonly string[], signal: AbortSignal): Promise<OwnChain> {
  const { selector } = action;
  if (selector === null) throw new ActionError("The action has no element");
  return await runAttempt(
    tabs,
    { signal },
    LOOK_MS,
    async (attempt) => {
      const click = action.action === "click";
      const found = await locate(attempt, selector, { verb: "look at", want: "attached", task: "own", arg: { click } });
      const { selectors, what } = found.done as { selectors: string[]; what: string };
      const all = [...new Set([...selectors, ...asked])].flatMap((each) => parsedOrNone(each));
      const proofs = await proveEverywhere(found, all, attempt.signal);
      const sources = (holds: (proof: Proof) => boolean, among: readonly string[]) =>
        all.filter((each, i) => among.includes(each.source) && holds(proofs[i] as Proof)).map(({ source }) => source);
      return {
        what,
        chain: sources(({ total, first }) => first && total === 1, selectors),
        known: sources(({ first }) => first, asked),
      };
    },
    (attempt, cause) => new ActionError(`Cannot look at ${attempt.obstacle ?? "the element: the page does not answer"}`, { cause }),
  );
}

function parsedOrNone(selector: string): ParsedSelector[] {
  try {
    return [parseSelector(selector)];
  } catch {
    return []; // a name with something in it that no selector can say
  }
}

/** Frames are looked into in order, so that a match in an earlier one would be taken instead. One that does not answer proves nothing. */
async function proveEverywhere({ link, frame }: Found, queries: ParsedSelector[], signal: AbortSignal): Promise<Proof[]> {
  const frames = link.activity.hasChildFrames ? await link.frames(signal) : [link.main];
  const prove = async (each: FrameRef) => {
    if (each.id !== frame.id) await link.call(each, "forget", undefined, signal);
    return await link.call(each, "prove", queries, signal);
  };
  const answers = await Promise.all(
    frames.map((each) => (each.id === frame.id ? prove(each) : withDeadline(FRAME_MS, () => prove(each), { signal }).catch(() => null))),
  );
  signal.throwIfAborted();
  const before = frames.findIndex(({ id }) => id === frame.id);
  if (before === -1) throw new ActionError("The frame of the element was replaced");
  return queries.map((_, i) => {
    const proofs = answers.map((answer) => answer?.[i] ?? { total: 1, visible: 1, first: false });
    const own = proofs[before] as Proof;
    const isTakenBefore = proofs.slice(0, before).some(({ total }) => total > 0);
    return { ...own, total: proofs.reduce((sum, { total }) => sum + total, 0), first: own.first && !isTakenBefore };
  });
}
