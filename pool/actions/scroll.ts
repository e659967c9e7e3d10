/** Scrolling the page, or an element. */
import type { ActionOf, Attempt } from "./attempt.ts";
import { locate } from "./locate.ts";
import { rest } from "./settle.ts";

/** Returns "at end" when nothing moved: there is no more to scroll to, which is no fault. */
export async function scroll(attempt: Attempt, { selector, params }: ActionOf<"scroll">): Promise<string | null> {
  const { direction, amount } = params;
  const sign = direction === "up" || direction === "left" ? -1 : 1;
  const by = direction === "left" || direction === "right" ? { dx: sign * amount, dy: 0 } : { dx: 0, dy: sign * amount };
  const link = await attempt.tabs.ready(attempt.signal);
  link.activity.markInput();
  const moved = selector
    ? (await locate(attempt, selector, { verb: "scroll", want: "visible", task: "scroll", arg: by })).done
    : await link.call(link.main, "scroll", by, attempt.signal).then((outcome) => "done" in outcome && outcome.done);
  await rest(link, 1, attempt.signal); // what comes into view may ask for more
  return moved ? null : "at end";
}
