/** Names of a run's files. Whatever comes from outside is reduced to what every file system, URL and zip takes as it is. */
import { createHash } from "node:crypto";

const MAX_CHARS = 64;
const MARK_CHARS = 8;

/** Only `[A-Za-z0-9_-]`. A name that had to change gets a mark of its original, so that two never become one. */
export function safeName(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9_-]/g, "_");
  if (plain === text && text !== "" && text.length <= MAX_CHARS) return text;
  const mark = createHash("sha256").update(text).digest("hex").slice(0, MARK_CHARS);
  return `${plain.slice(0, MAX_CHARS - MARK_CHARS - 1)}-${mark}`;
}

/** `7` → `0007`: up to 9999 of them, names sort as the actions came. */
const numbered = (seq: number): string => String(seq).padStart(4, "0");

export const screenshotName = (seq: number, action: string): string => `${numbered(seq)}_${safeName(action)}.jpg`;
export const actionFileName = (seq: number, tool: string, action: string): string =>
  `${numbered(seq)}_${safeName(tool)}_${safeName(action)}.json`;
