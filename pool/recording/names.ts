/** Names of a run's files. Whatever comes from outside is reduced to what every file system, URL and zip takes as it is. */
import { createHash, randomUUID } from "node:crypto";

const MAX_CHARS = 64;

/** Only `[A-Za-z0-9_-]`. A name that had to change gets a mark of its original, so that two never become one. */
export function safeName(text: string, fallback = "unnamed"): string {
  const plain = text.replace(/[^A-Za-z0-9_-]/g, "_");
  if (plain === text && text.length <= MAX_CHARS) return text === "" ? fallback : text;
  const mark = createHash("sha256").update(text.toWellFormed()).digest("hex").slice(0, 8);
  return `${plain.slice(0, MAX_CHARS - 9) || fallback}-${mark}`;
}

/** The name of a run's folder; a fresh one where there is no id, so that two runs never share a folder. */
export const runFolder = (runId: string | undefined): string => (runId ? safeName(runId) : randomUUID());

/** `7` → `0007`: names sort as the actions came, up to 9999 of them. */
export const numbered = (seq: number): string => String(seq).padStart(4, "0");

export const screenshotName = (seq: number, action: string): string => `${numbered(seq)}_${safeName(action, "action")}.jpg`;
export const actionFileName = (seq: number, tool: string, action: string): string =>
  `${numbered(seq)}_${safeName(tool, "tool")}_${safeName(action, "action")}.json`;
