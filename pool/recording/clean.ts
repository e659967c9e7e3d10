/** Text on its way to a file: secrets replaced, length bounded. In this order, or the part of a secret before the cut would stay. */

/** Longer text is not even searched for secrets: it is left out whole. */
const SEARCHED_CHARS = 1_000_000;

export type Clean = (text: string) => string;

/** Masks, then cuts to `maxChars` with the whole length said. */
export function createClean(mask: Clean, maxChars: number): Clean {
  return (text) => {
    if (text.length > SEARCHED_CHARS) return `… (${text.length} characters left out)`;
    const masked = mask(text);
    return masked.length > maxChars ? `${masked.slice(0, maxChars).toWellFormed()}… (${masked.length} characters)` : masked;
  };
}

/** A copy with every string cleaned, keys too: where a shape is not ours, a key can hold anything. */
export function cleanDeep(value: unknown, clean: Clean): unknown {
  if (typeof value === "string") return clean(value);
  if (Array.isArray(value)) return value.map((each) => cleanDeep(each, clean));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [clean(key), cleanDeep(each, clean)]));
}
