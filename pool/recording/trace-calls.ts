/** Our actions in the words of the trace viewer, which has titles and icons of its own for Playwright's calls. */
import type { Action } from "../../shared/action.ts";
import { REDACTED, safeParams } from "./summary.ts";

export type TraceCall = { class: string; method: string; title?: string; params: Record<string, unknown> };

/** Without a title the viewer makes one, as `Click locator('#cancel')`; a given one replaces that. */
export function traceCall(action: Action, title: string | null): TraceCall {
  const call = toCall(action);
  const { selector } = action;
  const target = selector === null ? {} : { selector: selector.primary };
  const fallbacks = selector === null || selector.fallbacks.length === 0 ? {} : { fallbacks: selector.fallbacks };
  const params = { ...target, ...fallbacks, ...call.params };
  return { ...call, params, ...(title ? { title: literal(title, params) } : {}) };
}

function toCall(action: Action): TraceCall {
  const params = safeParams(action);
  switch (action.action) {
    case "goto":
      return { class: "Frame", method: "goto", params };
    case "click":
      return { class: "Frame", method: action.params.click_count === 2 ? "dblclick" : "click", params };
    case "key_press": {
      const { text, key, credential_ref } = action.params;
      const { selector } = action;
      if (text === undefined && credential_ref === undefined) {
        return selector ? { class: "Frame", method: "press", params } : { class: "Page", method: "keyboardPress", params };
      }
      const value = credential_ref === undefined ? REDACTED : `[credential ${credential_ref}]`;
      const more = key === undefined ? {} : { key };
      if (selector) return { class: "Frame", method: "fill", params: { value, ...more } };
      return { class: "Page", method: "keyboardType", params: { text: value, ...more } };
    }
    case "scroll":
      return { class: "Page", method: "mouseWheel", title: `Scroll ${action.params.direction} ${action.params.amount} px`, params };
    case "wait_for":
      return { class: "Frame", method: "waitForSelector", params };
    case "select":
      return { class: "Frame", method: "selectOption", params };
    case "extract":
      // Not Frame.textContent: the viewer hides its getters behind a filter.
      return {
        class: "Understudy",
        method: "extract",
        title: `Extract ${action.params.mode}${action.selector ? " {selector}" : ""}`,
        params,
      };
    case "evaluate":
      return { class: "Frame", method: "evaluateExpression", params };
  }
}

/** The viewer replaces `{name}` in a title by the parameter of that name. A title of ours is meant as it stands. */
const literal = (title: string, params: Record<string, unknown>): string =>
  title.replace(/\{(\w+)/g, (whole, name: string) => (name in params ? `{\u2060${name}` : whole)); // U+2060: joins, shows nothing
