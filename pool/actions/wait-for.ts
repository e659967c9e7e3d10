/** Waiting until an element is there, or is gone. */
import { ActionError } from "./action-error.ts";
import type { ActionOf, Attempt } from "./attempt.ts";
import { locate } from "./locate.ts";
import { untilGone } from "./until-gone.ts";

export async function waitFor(attempt: Attempt, { selector, params }: ActionOf<"wait_for">): Promise<null> {
  if (!selector) throw new ActionError("Cannot wait: it needs a selector");
  const { state } = params;
  if (state === "visible" || state === "attached") await locate(attempt, selector, { verb: "wait for", want: state, task: null });
  else await untilGone(attempt, selector, state);
  return null;
}
