/** Checking that a step had its effect: where the page is, what it shows, what it shows no longer. */
import type { Verify } from "../../shared/playbook.ts";
import { ActionError } from "./action-error.ts";
import type { Attempt } from "./attempt.ts";
import { locate, locateAny } from "./locate.ts";
import { runAttempt } from "./run-attempt.ts";
import type { Tabs } from "./tabs.ts";
import { untilGone } from "./until-gone.ts";

/** Even a limit of 0 allows one look. */
const ONE_LOOK_MS = 300;

/** URL, visible, gone, text, in this order, each with the whole time limit. @throws ActionError "Verification failed: …" */
export async function checkVerify(tabs: Tabs, verify: Verify, { signal }: { signal: AbortSignal }): Promise<void> {
  const { expect_url_contains: url, expect_element_visible: visible, expect_element_gone: gone, expect_text_on_page: text } = verify;
  const check = (words: string, work: (attempt: Attempt) => Promise<unknown>) =>
    runAttempt(tabs, { signal }, Math.max(ONE_LOOK_MS, verify.timeout_ms), work, (attempt, cause) => {
      const why = tabs.trouble() ?? attempt.obstacle ?? (cause instanceof ActionError ? cause.message : null);
      return new ActionError(`Verification failed: ${words}${why ? ` (${why})` : ""}`, {
        cause,
        details: { timeout_ms: verify.timeout_ms },
      });
    });
  if (url !== null) await check(`the URL does not contain ${JSON.stringify(url)}`, (attempt) => untilUrl(attempt, url));
  if (visible)
    await check("the element is not visible", (attempt) => locate(attempt, visible, { verb: "find", want: "visible", task: null }));
  if (gone) await check("the element is still there", (attempt) => untilGone(attempt, gone, "hidden"));
  if (text !== null) await check(`the text ${JSON.stringify(text)} is not on the page`, (attempt) => untilText(attempt, text));
}

async function untilUrl({ tabs, signal }: Attempt, part: string): Promise<void> {
  for (;;) {
    const { activity } = await tabs.ready(signal);
    if (activity.url.includes(part)) return;
    await activity.until(() => activity.url.includes(part), 250, signal); // another tab may become the active one
  }
}

/** Any words, as a person would look for them: case and the length of spaces do not matter. */
const untilText = (attempt: Attempt, text: string) =>
  locateAny(attempt, [{ kind: "text", test: { kind: "part", text }, source: `text=${text}` }], {
    verb: "find",
    want: "visible",
    task: null,
  });
