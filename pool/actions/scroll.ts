/** Scrolling the page, or an element. */
import type { ActionOf, Attempt } from "./attempt.ts";
import { locate } from "./locate.ts";
import { handled, markInput, settle } from "./settle.ts";

/** Returns "at end" when nothing moved: there is no more to scroll to, which is no fault. */
export async function scroll(attempt: Attempt, { selector, params }: ActionOf<"scroll">): Promise<string | null> {
  const { direction, amount } = params;
  const sign = direction === "up" || direction === "left" ? -1 : 1;
  const by = direction === "left" || direction === "right" ? { dx: sign * amount, dy: 0 } : { dx: 0, dy: sign * amount };
  const { link, done, at } = selector
    ? await locate(attempt, selector, { verb: "scroll", want: "visible", task: "scroll", arg: by })
    : await scrollPage(attempt, by);
  markInput(link, { at });
  await handled(link, attempt.signal); // what came into view may have asked for more
  return done ? null : "at end";
}

async function scrollPage({ tabs, signal }: Attempt, by: { dx: number; dy: number }) {
  const link = await tabs.ready(signal);
  await settle(link, "act", signal);
  const at = performance.now();
  const outcome = await link.call(link.main, "scroll", by, signal);
  return { link, done: "done" in outcome && outcome.done, at };
}
