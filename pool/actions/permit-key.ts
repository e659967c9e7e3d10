/** Keys that press what has the focus, as a click does: whoever judges clicks is asked first. */
import type { KeyInput } from "puppeteer-core";
import { ActionError } from "./action-error.ts";
import type { Attempt } from "./attempt.ts";
import { FrameGone, type PageLink } from "./page-link.ts";

const PRESSES: ReadonlySet<string> = new Set(["Enter", "NumpadEnter", "\r", "\n", " ", "Space"] satisfies KeyInput[]);

/** Text in parts, of which only the first character may press anything: what has the focus may change with each part. */
export const byPress = (text: string): string[] => text.split(/(?=[ \r\n])/);

/** Each frame knows its own focus; that of the page is one of theirs. A key that presses nothing is always permitted. */
export async function permitKey(attempt: Attempt, link: PageLink, key: string): Promise<void> {
  const { signal } = attempt;
  const { permit } = attempt.context;
  if (permit === undefined || !PRESSES.has(key)) return;
  const press = key === " " || key === "Space" ? key : "Enter";
  const unlessGone = (error: unknown) => {
    if (error instanceof FrameGone) return null;
    throw error;
  };
  const frames = await link.frames(signal);
  const heard = frames.filter(({ deaf }) => !deaf);
  for (const frame of heard) {
    const target = await link.call(frame, "focused", press, signal).catch(unlessGone);
    if (target) await permit(target);
  }
  if (heard.length === frames.length) return;
  const having = await Promise.all(heard.map((frame) => link.call(frame, "hasFocus", undefined, signal).catch(unlessGone)));
  if (having.includes(true)) return;
  throw new ActionError(
    `Cannot press ${key.trim() || "Space"}: a frame that does not answer may have the focus, and what it would press there is not known`,
  );
}
