/** What was done so far, as lines that outlive the messages in which it was said. */
import { counted } from "../../shared/counted.ts";
import { shownUrl } from "../actions/goto.ts";
import { cutText } from "./tokens.ts";
import { untrusted } from "./untrusted.ts";

const FINDING_CHARS = 150;
/** Of the oldest the count is kept. */
const MAX_LINES = 60;

export type Deed = { summary: string; url: string; error: string | null; text: string | null };

/** Host and path in one spelling; query and case tell pages apart. */
export function normalUrl(url: string): string {
  if (!URL.canParse(url)) return url;
  const { protocol, host, pathname, search } = new URL(url);
  return `${protocol}//${host.toLowerCase()}${pathname.replace(/\/+$/, "")}${search ? `?${search.slice(1)}` : ""}`;
}

/** Empty when nothing was done. */
export function renderProgress(deeds: readonly Deed[]): string {
  if (deeds.length === 0) return "";
  const shown = deeds.slice(-MAX_LINES);
  const lines: string[] = [];
  let page = "";
  for (const { summary, url, error, text } of shown) {
    if (normalUrl(url) !== page) {
      page = normalUrl(url);
      lines.push(`on ${shownUrl(url)}:`);
    }
    const finding =
      error !== null ? ` FAILED: ${cutText(error, FINDING_CHARS)}` : text ? ` → ${cutText(text.replace(/\s+/g, " "), FINDING_CHARS)}` : "";
    lines.push(`- ${summary}${finding}`);
  }
  const done = deeds.filter(({ error }) => error === null).length;
  const older = deeds.length > shown.length ? `, the last ${shown.length} of them here` : "";
  return `<session_progress>\n${counted(deeds.length, "action")}, ${done} succeeded${older}\n${untrusted(lines.join("\n"))}\n</session_progress>`;
}
