/** Values → JSON that Postgres takes. */

/** A backslash of its own, an escaped NUL, or half of a surrogate pair: `JSON.stringify` escapes only halves, whole pairs it writes as they are. */
const ESCAPES = /\\\\|\\u0000|\\ud[89a-f][0-9a-f]{2}/g;

/** Postgres refuses NUL and halves of surrogate pairs, and pages hold both. They become U+FFFD, as in any decoder. */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.includes("\\u") ? text.replaceAll(ESCAPES, (found) => (found === "\\\\" ? found : "\ufffd")) : text;
}

/** The same for text that is looked for as it is. */
export const toText = (text: string): string => text.replaceAll("\0", "\ufffd").toWellFormed();

/** A value together with its JSON: as it will be read back, whatever becomes of the original meanwhile. */
export function freeze<T>(value: T): { value: T; json: string } {
  const json = toJson(value);
  return { value: JSON.parse(json), json };
}
