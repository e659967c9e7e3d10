/** An action in one line for people, and its parameters as they may be kept. Text that was typed is in neither. */
import type { Action } from "../../shared/action.ts";
import type { Clean } from "./clean.ts";

const SUMMARY_CHARS = 120;
const SELECTOR_CHARS = 60;
export const REDACTED = "[redacted]";

/** `type into '#order' + press Enter`; at most 120 characters. Credentials appear by name. `mask` sees each text before it is cut. */
export function summarise(action: Action, mask: Clean = (text) => text): string {
  const quoted = (text: string, max: number) => `'${cut(mask(text).replace(/\s+/g, " ").trim(), max)}'`;
  const on = action.selector ? quoted(action.selector.primary, SELECTOR_CHARS) : null;
  switch (action.action) {
    case "goto":
      return cut(`goto ${mask(plainUrl(mask(action.params.url)))}`, SUMMARY_CHARS);
    case "click": {
      const { button, click_count } = action.params;
      const verb = `${button === "left" ? "" : `${button}-`}${["", "", "double-", "triple-"][click_count] ?? ""}click`;
      return `${verb} ${on}`;
    }
    case "key_press": {
      const { text, credential_ref } = action.params;
      const key = action.params.key && mask(action.params.key);
      const typed = credential_ref !== undefined ? `type credential ${cut(credential_ref, 30)}` : text !== undefined ? "type" : null;
      if (typed === null) return `press ${key}${on ? ` in ${on}` : ""}`;
      const where = on ? ` into ${on}` : credential_ref === undefined ? " text" : "";
      return cut(`${typed}${where}${key ? ` + press ${key}` : ""}`, SUMMARY_CHARS);
    }
    case "scroll":
      return `scroll ${action.params.direction} ${action.params.amount} px${on ? ` in ${on}` : ""}`;
    case "wait_for":
      return `wait for ${on ?? "the page"}${action.params.state === "visible" ? "" : ` to be ${action.params.state}`}`;
    case "select":
      return `select ${quoted(action.params.label ?? action.params.value ?? "", 30)} in ${on}`;
    case "extract":
      return `extract ${action.params.mode} of ${on}`;
    case "evaluate":
      return `evaluate ${quoted(action.params.expression, SELECTOR_CHARS)}`;
  }
}

/** The parameters as they may be written down: typed text is replaced. */
export function safeParams(action: Pick<Action, "action" | "params">): Record<string, unknown> {
  const params: Record<string, unknown> = { ...action.params };
  if (action.action === "key_press" && params.text !== undefined) params.text = REDACTED;
  return params;
}

/** The address without user, password, and the values of its query. */
function plainUrl(text: string): string {
  if (!URL.canParse(text)) return text.replace(/[?#].*$/s, "?…");
  const url = new URL(text);
  if (url.protocol === "data:" || url.protocol === "javascript:") return `${url.protocol}…`;
  const query = [...url.searchParams.keys()].map((key) => `${key}=…`).join("&");
  return `${url.protocol}//${url.host}${url.pathname}${query && `?${query}`}${url.hash && "#…"}`;
}

const cut = (text: string, max: number): string => (text.length > max ? `${text.slice(0, max - 1).toWellFormed()}…` : text);
