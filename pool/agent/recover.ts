/** Recovery of one step of a playbook: what the agent is told of it. */
import type { Action } from "../../shared/action.ts";
import type { Verify } from "../../shared/playbook.ts";
import { untrusted } from "./untrusted.ts";

/** A step that failed, in words and values that may be told. */
export type BrokenStep = {
  playbook: string;
  /** What the user asked for, where they said it in words. */
  directive: string | null;
  index: number;
  count: number;
  /** In the author's and the caller's words. */
  description: string;
  /** Texts that pages gave may be filled into the actions and what proves them. */
  holdsPageText: boolean;
  actions: readonly Action[];
  verify: Verify | null;
  error: string;
  /** It may happen only once, and its input may have reached the page. */
  mayHaveHappened: boolean;
  /** Descriptions of the steps after it. */
  rest: readonly string[];
};

export function repairGoal(step: BrokenStep): string {
  const { index, count, rest, directive, holdsPageText } = step;
  const told = holdsPageText ? untrusted : (text: string) => text;
  return [
    `A playbook, ${JSON.stringify(step.playbook)}, drives this browser. Step ${index + 1} of ${count} failed: ${step.description}`,
    ...(directive === null ? [] : [`The user asked for: ${directive}`]),
    `Do on the page what this step was meant to do, and nothing else; then call done. The playbook goes on from there by itself.`,
    `The step as written:\n${told(step.actions.map(actionText).join("\n"))}`,
    `What went wrong:\n${untrusted(step.error)}`,
    ...(step.verify ? [`It is done when this holds, which is checked: ${told(verifyText(step.verify))}`] : []),
    ...(step.mayHaveHappened
      ? ["It may happen only once, and may have happened already: look first, and do not do it again if it has."]
      : []),
    ...(rest.length > 0 ? [`What the playbook does after it:\n${rest.map((each, i) => `${index + i + 2}. ${each}`).join("\n")}`] : []),
  ].join("\n\n");
}

export function takeOverGoal(step: BrokenStep): string {
  return [
    repairGoal(step).split("\n\nDo on the page")[0],
    `The page has left the plan. Do what this step and all that follow it were meant to do; then call done.`,
    `The steps:\n${[step.description, ...step.rest].map((each, i) => `${step.index + i + 1}. ${each}`).join("\n")}`,
  ].join("\n\n");
}

/** Text that was to be typed is told, credentials by their name. */
const actionText = ({ action, selector, params }: Action): string =>
  `- ${action}${selector ? ` on ${[selector.primary, ...selector.fallbacks].join(" or ")}` : ""} ${JSON.stringify(params)}`;

function verifyText({ expect_url_contains, expect_element_visible, expect_element_gone, expect_text_on_page }: Verify): string {
  return [
    expect_url_contains && `the URL contains ${JSON.stringify(expect_url_contains)}`,
    expect_element_visible && `${expect_element_visible.primary} is visible`,
    expect_element_gone && `${expect_element_gone.primary} is gone`,
    expect_text_on_page && `the page shows ${JSON.stringify(expect_text_on_page)}`,
  ]
    .filter(Boolean)
    .join("; ");
}
