/** Reading quoted and bracketed text inside selectors. */

/** The index right after the bracket that closes the one at `start`; strings and escapes inside are skipped. */
export function scan(source: string, start: number): number {
  const open: string[] = [];
  let quote: string | null = null;
  for (let i = start; i < source.length; i += 1) {
    const char = source[i] as string;
    if (char === "\\") i += 1;
    else if (quote !== null) quote = char === quote ? null : quote;
    else if (char === '"' || char === "'") quote = char;
    else if (char === "(" || char === "[") open.push(char === "(" ? ")" : "]");
    else if (char === ")" || char === "]") {
      if (open.pop() !== char) throw new Error(`"${char}" closes what was not opened`);
      if (open.length === 0) return i + 1;
    }
  }
  throw new Error(quote ? `a string is not closed (${quote})` : `"${source[start]}" is not closed`);
}

/** The text inside one pair of quotes, escapes resolved as in CSS (`\"`, `\a `); text without quotes as it is. */
export function unquote(text: string): string {
  const quote = text[0];
  if (quote !== '"' && quote !== "'") return text;
  if (text.length < 2 || text.at(-1) !== quote) throw new Error(`a string is not closed (${quote})`);
  return resolveEscapes(text.slice(1, -1));
}

/** CSS escapes resolved: a backslash before hex digits names a character, before anything else it is dropped. */
export function resolveEscapes(text: string): string {
  return text.replace(/\\(?:([0-9a-f]{1,6})\s?|([\s\S]))/gi, (_all, hex: string | undefined, char: string | undefined) => {
    if (hex === undefined) return char ?? "";
    const code = Number.parseInt(hex, 16);
    return code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? "\uFFFD" : String.fromCodePoint(code);
  });
}
