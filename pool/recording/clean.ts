/** Text on its way to a file: secrets replaced, length bounded. In this order, or the part of a secret before the cut would stay. */

/** Longer text is not even searched for secrets: it is left out whole. */
const SEARCHED_CHARS = 1_000_000;

/** `pieces`: texts that follow each other, as the arguments of a console call or the text nodes of a page, which may hold a secret together. */
export type Clean = ((text: string) => string) & {
  pieces?: (texts: readonly string[]) => string[];
  /** Is there nothing to look for? */
  isIdle?: () => boolean;
};

/** Masks, then cuts to `maxChars` with the whole length said. */
export function createClean(mask: Clean, maxChars: number): Clean {
  const cut = (masked: string) =>
    masked.length > maxChars ? `${masked.slice(0, maxChars).toWellFormed()}… (${masked.length} characters)` : masked;
  const clean = (text: string) => {
    if (text.length > SEARCHED_CHARS) return `… (${text.length} characters left out)`;
    return cut(mask(text));
  };
  const pieces = (texts: readonly string[]) =>
    mask.pieces && sum(texts) <= SEARCHED_CHARS ? mask.pieces(texts).map(cut) : texts.map(clean);
  return Object.assign(clean, { pieces });
}

const sum = (texts: readonly string[]): number => texts.reduce((chars, { length }) => chars + length, 0);

/** A copy with every string cleaned, keys too: where a shape is not ours, a key can hold anything. */
export function cleanDeep(value: unknown, clean: Clean): unknown {
  if (typeof value === "string") return clean(value);
  if (Array.isArray(value)) {
    const isText = value.length > 1 && value.every((each) => typeof each === "string");
    return isText && clean.pieces ? clean.pieces(value) : value.map((each) => cleanDeep(each, clean));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [clean(key), cleanDeep(each, clean)]));
}
