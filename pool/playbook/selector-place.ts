/** Where in a selector a value is about to stand. */

/**
 * `identifier`: a name of CSS, or between its parts · `string`: in quotes · `regex`: in an expression · `number`: the argument of `:nth-child()` and its like ·
 * `argument`: the bare text of `:has-text()` and its like · `role`: the role itself · `words`: bare words of role and aria
 */
export type Place = "identifier" | "string" | "regex" | "number" | "argument" | "role" | "words";

/** Reads the text that stands before the value, as the parser of that engine will. */
export function placeAfter(before: string, engine: "css" | "role" | "aria"): Place {
  let inside: "string" | "regex" | "class" | null = null;
  let quote = "";
  let word = "";
  let last = "";
  const open: string[] = []; // brackets, each with the word before it
  for (let i = 0; i < before.length; i++) {
    const char = before[i] as string;
    if (char === "\\") i++;
    else if (inside === "string") inside = char === quote ? null : inside;
    else if (inside === "class") inside = char === "]" ? "regex" : inside;
    else if (inside === "regex") inside = char === "[" ? "class" : char === "/" ? null : inside;
    else if (char === '"' || char === "'") {
      inside = "string";
      quote = char;
    } else if (char === "/" && last === "=" && engine === "role" && open.length > 0) inside = "regex";
    else if (char === "(" || char === "[") open.push(char + word.toLowerCase());
    else if (char === ")" || char === "]") open.pop();
    word = /[\w-]/.test(char) ? word + char : "";
    if (char.trim() !== "") last = char;
  }
  if (inside === "string") return "string";
  if (inside !== null) return "regex";
  if (engine === "role") return open.length === 0 ? "role" : "words";
  if (engine === "aria") return "words";
  const around = open.at(-1) ?? "";
  if (around.startsWith("(nth-")) return "number";
  return ["(has-text", "(text", "(text-is"].includes(around) ? "argument" : "identifier";
}
