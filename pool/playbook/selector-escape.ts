/** Any text, written so that it means itself: as a name and as a string of CSS, as bare words, as a string of XPath. */

/** An identifier for any text: what CSSOM's `CSS.escape` does (https://drafts.csswg.org/cssom/#serialize-an-identifier), with white space and brackets by number, so that no reader of selectors takes them for its own. */
export function escapeIdentifier(text: string): string {
  let escaped = "";
  for (const [i, char] of [...text].entries()) {
    if (char === "\0") escaped += "\uFFFD";
    else if (/[\s()[\]]|\p{Cc}/u.test(char)) escaped += byNumber(char);
    else if (/\d/.test(char) && (i === 0 || (i === 1 && text.startsWith("-")))) escaped += byNumber(char);
    else if (char === "-" && text === "-") escaped += "\\-";
    else if (char >= "\x80" || /[\w-]/.test(char)) escaped += char;
    else escaped += `\\${char}`;
  }
  return escaped;
}

/** The inside of a string of CSS, which role and text use too, in whichever quotes. */
export const escapeString = (text: string): string =>
  text.replace(/["'\\]|\p{Cc}/gu, (char) => (/["'\\]/.test(char) ? `\\${char}` : byNumber(char)));

/** Bare words of role and aria: spaces are one, and whatever is no letter, digit or space has its backslash. */
export const escapeWords = (text: string): string => text.replace(/\s+/g, " ").replace(/[^\p{L}\p{N}_ -]/gu, "\\$&");

/** A string of XPath 1.0, which has two kinds of quotes and no escapes. */
export function xpathString(text: string): string {
  if (!text.includes('"')) return `"${text}"`;
  if (!text.includes("'")) return `'${text}'`;
  const parts = text.split('"').map((part) => `"${part}"`);
  return `concat(${parts.join(`, '"', `)})`;
}

const byNumber = (char: string): string => (char === "\0" ? "\uFFFD" : `\\${(char.codePointAt(0) as number).toString(16)} `);
