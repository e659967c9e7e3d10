/** What the active page offers, frame by frame: what an agent is shown of it. */
import type { Selector } from "../../shared/action.ts";
import { withDeadline } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import { shownUrl } from "./goto.ts";
import type { MapItem } from "./in-page/page-items.ts";
import type { MapAnswer } from "./in-page/page-map.ts";
import { locate } from "./locate.ts";
import { FrameGone, type FrameRef, type PageLink } from "./page-link.ts";
import { runAttempt } from "./run-attempt.ts";
import type { Tabs } from "./tabs.ts";

export type { MapItem } from "./in-page/page-items.ts";

/** `frames[0]` is the main one. `document` changes with every document of the main frame. */
export type PageMap = {
  url: string;
  title: string;
  document: string;
  left: number;
  truncated: boolean;
  frames: { url: string | null; items: MapItem[] }[];
};

/** A child frame that takes longer is left out, and said to be. */
const FRAME_MS = 1_000;
const MAP_MS = 5_000;
const MAX_FRAMES = 20;
/** Of each kind; more than there is room for in what a model is shown. */
const ITEMS = 250;
/** For who looks for something. */
export const ALL_ITEMS = 3_000;

/** The address of the active page and its document: another stamp means that another page has come. */
export async function pageStamp(tabs: Tabs, signal: AbortSignal): Promise<string> {
  const { activity } = await tabs.ready(signal);
  return `${activity.mainFrame} ${activity.document.count} ${activity.url}`;
}

/** Waits until the page rests, at most some seconds. @throws ActionError when it does not answer */
export async function mapPage(tabs: Tabs, signal: AbortSignal, limit = ITEMS): Promise<PageMap> {
  await tabs.settled(signal);
  return await runAttempt(
    tabs,
    { signal },
    MAP_MS,
    async (attempt) => {
      for (;;) {
        try {
          return await mapFrames(await tabs.ready(attempt.signal), attempt.signal, limit);
        } catch (error) {
          if (!(error instanceof FrameGone)) throw error; // another document came: that one is looked at
          attempt.signal.throwIfAborted();
        }
      }
    },
    (_attempt, cause) => new ActionError("Cannot look at the page: it does not answer", { cause }),
  );
}

/** The part of the page below one element. @throws ActionError when there is none */
export async function mapElement(
  tabs: Tabs,
  selector: Selector,
  signal: AbortSignal,
): Promise<Pick<MapAnswer, "items" | "left" | "truncated">> {
  return await runAttempt(
    tabs,
    { signal },
    MAP_MS,
    async (attempt) =>
      (await locate(attempt, selector, { verb: "look at", want: "attached", task: "map", arg: { limit: ALL_ITEMS } })).done as MapAnswer,
    (attempt, cause) => new ActionError(`Cannot look at ${attempt.obstacle ?? "the element: the page does not answer"}`, { cause }),
  );
}

async function mapFrames(link: PageLink, signal: AbortSignal, limit: number): Promise<PageMap> {
  const { activity } = link;
  const [main, ...others] = activity.hasChildFrames ? await link.frames(signal) : [link.main];
  const first = await link.call(main as FrameRef, "map", { limit }, signal);
  const children = others.slice(0, MAX_FRAMES).map(async (frame) => {
    const answer = await withDeadline(FRAME_MS, (within) => link.call(frame, "map", { limit }, within), { signal }).catch(() => null);
    signal.throwIfAborted();
    return answer ?? { title: "", items: [], left: 0, truncated: true }; // gone, or it does not answer
  });
  const answers = [first, ...(await Promise.all(children))];
  const frames = answers
    .map(({ title, items }, i) => ({ url: i === 0 ? null : title, items }))
    .filter(({ items }, i) => i === 0 || items.length > 0);
  keepUnique(frames);
  const truncated = answers.some((each) => each.truncated) || others.length > MAX_FRAMES;
  const left = answers.reduce((sum, each) => sum + each.left, 0);
  return { url: shownUrl(activity.url), title: first.title, document: `${main?.id} ${activity.document.count}`, left, truncated, frames };
}

/** A selector is looked for in all frames, the outer ones first: one that an earlier frame has too would find the other element. */
function keepUnique(frames: PageMap["frames"]): void {
  const taken = new Set<string>();
  for (const { items } of frames) {
    for (const item of items) item.selectors = item.selectors.filter((selector) => !taken.has(selector));
    for (const { selectors } of items) for (const selector of selectors) taken.add(selector);
  }
}
