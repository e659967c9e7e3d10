/** How many tokens a text takes, about, and never much less: Latin text has four characters to one, other scripts up to one each. */
export function estimateTokens(text: string): number {
  let other = 0;
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7f) other += 1;
  return Math.ceil((text.length - other) / 4 + other);
}

/** At most `max` characters, and says what is missing. */
export const cutText = (text: string, max: number): string =>
  text.length > max ? `${text.slice(0, max).toWellFormed()}… (${text.length - max} more characters)` : text;
