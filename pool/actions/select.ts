/** Choosing an option of a native `<select>`, by value or by label. */
import { ActionError } from "./action-error.ts";
import type { ActionOf, Attempt } from "./attempt.ts";
import { locate } from "./locate.ts";
import { handled, markInput } from "./settle.ts";

/** Returns the chosen option's value. Waits for an option that is still to come; the error lists those that are there. */
export async function select(attempt: Attempt, { selector, params }: ActionOf<"select">): Promise<string> {
  if (!selector) throw new ActionError("Cannot select: it needs a selector");
  const { value, label } = params;
  const { link, done, at } = await locate(attempt, selector, {
    verb: "select in",
    want: "visible",
    task: "choose",
    arg: { value, label },
  });
  attempt.dispatched = true;
  markInput(link, { at });
  await handled(link, attempt.signal);
  return done as string;
}
