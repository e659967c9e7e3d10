/** Values of fields that hide theirs, as passwords: looked for in all that is recorded. */
import { MIN_CHARS } from "../secrets/variants.ts";

/** Each makes every masked text cost more, and a page may have any number of them, of any length. What is beyond is shown as dots all the same. */
export const FIELD_VALUES = { count: 50, minChars: MIN_CHARS, maxChars: 1_000 };

/** Tells `learn` of the first few different ones of a run. */
export function learnFew(learn: (value: string) => void): (value: string) => void {
  const seen = new Set<string>();
  return (value) => {
    const { count, minChars, maxChars } = FIELD_VALUES;
    if (seen.size >= count || value.length < minChars || value.length > maxChars || seen.has(value)) return;
    seen.add(value);
    learn(value);
  };
}
