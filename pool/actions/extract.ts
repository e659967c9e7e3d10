/** Reading an element: its text, HTML, value, or markdown. */
import { ActionError } from "./action-error.ts";
import type { ActionOf, Attempt } from "./attempt.ts";
import { locate } from "./locate.ts";
import { settleFor } from "./settle.ts";
import { TEXT_LIMIT } from "./text-limit.ts";

/** Of the HTML that becomes markdown: converting it keeps the whole node busy. */
const HTML_LIMIT = 300_000;

export async function extract(attempt: Attempt, { selector, params: { mode } }: ActionOf<"extract">): Promise<string> {
  if (!selector) throw new ActionError("Cannot extract: it needs a selector");
  await settleFor("reading", await attempt.tabs.ready(attempt.signal), attempt.signal);
  const want = mode === "value" ? "attached" : "visible"; // hidden fields have values too
  const { done } = await locate(attempt, selector, {
    verb: "extract",
    want,
    task: "read",
    arg: { mode, limit: mode === "markdown" ? HTML_LIMIT : TEXT_LIMIT },
  });
  const read = done as string;
  const text = mode === "markdown" ? await markdownOf(read) : read;
  return text.length > TEXT_LIMIT ? `${text.slice(0, TEXT_LIMIT)}\n… (cut at ${TEXT_LIMIT} characters)` : text;
}

async function markdownOf(html: string): Promise<string> {
  const { toMarkdown } = await import("./markdown.ts"); // with a parser of 50 modules, which a node's start need not wait for
  return html.length > HTML_LIMIT ? `${toMarkdown(html)}\n… (cut at ${HTML_LIMIT} characters of HTML)` : toMarkdown(html);
}
