/** Waiting until no selector of a chain matches anything (that is visible), in any frame. */

import type { Selector } from "../../shared/action.ts";
import { pause } from "../../shared/deadline.ts";
import { ActionError } from "./action-error.ts";
import type { Attempt } from "./attempt.ts";
import { lookUntilGone } from "./frame-looks.ts";
import { FrameGone } from "./page-link.ts";
import { parseSelector, shown } from "./selector-syntax.ts";
import { settle } from "./settle.ts";

const STAY_MS = 200;

/** What the last action started comes first: a spinner that is still to appear is not gone. */
export async function untilGone(attempt: Attempt, selector: Selector, state: "hidden" | "detached"): Promise<void> {
  const { signal } = attempt;
  const candidates = [selector.primary, ...selector.fallbacks].map(parseSelector);
  const want = state === "hidden" ? "visible" : "attached";
  const deaf = new Map<string, number>();
  for (let stayMs = 0; ; stayMs = STAY_MS) {
    const link = await attempt.tabs.ready(signal);
    await settle(link, "act", signal);
    try {
      const answer = await lookUntilGone(
        { link, queries: candidates, chain: candidates, want, task: null, tellsWay: false, deaf, signal },
        stayMs,
      );
      if (answer.kind === "missing") return;
      if (answer.kind === "invalid") {
        const { source } = candidates[answer.index] ?? { source: selector.primary };
        throw new ActionError(`Cannot wait for ${shown(source)}: it is not a valid selector: ${answer.why.split("\n")[0]}`);
      }
      attempt.obstacle = `${shown(candidates[answer.index]?.source ?? "")}: ${answer.what} is still ${state === "hidden" ? "visible" : "there"}`;
    } catch (error) {
      if (!(error instanceof FrameGone)) throw error;
      await pause(10, signal); // the next document is not there yet
    }
  }
}
