/** The messages of the next question: a flat size, whatever happened before. Pure. */
import type { ModelMessage } from "ai";
import type { ToolCall } from "../llm/llm.ts";
import { type Deed, renderProgress } from "./memory.ts";
import type { Observation } from "./observe.ts";
import { cutText } from "./tokens.ts";

export type Outcome = { call: ToolCall; text: string; long: boolean };
/** `note`: what we say instead of results. `picture`: JPEG. */
export type Turn = {
  text: string;
  outcomes: Outcome[];
  note: string | null;
  seen: Observation | null;
  picture: Uint8Array | null;
  deeds: Deed[];
};

/** Turns before the last whole look that stay, without what the page looked like. */
const KEPT_BEFORE = 2;
/** However long the page stays the same. */
const MAX_TURNS = 8;
const OLD_CHARS = 800;
const OLD_EXTRACT_CHARS = 1_500;
const OLD_THOUGHT_CHARS = 500;
const THOUGHT_CHARS = 2_000;

export function toMessages(task: string, first: Observation, turns: readonly Turn[]): ModelMessage[] {
  const whole = turns.findLastIndex(({ seen }) => seen?.whole);
  const from = Math.max(0, turns.length - MAX_TURNS, whole < 0 ? 0 : whole - KEPT_BEFORE);
  const base = Math.max(whole, from - 1);
  const progress = renderProgress(turns.slice(0, from).flatMap(({ deeds }) => deeds));
  const opening = [task, progress, ...(whole < 0 ? [first.text] : [])].filter((each) => each !== "").join("\n\n");
  const messages: ModelMessage[] = [{ role: "user", content: opening }];
  for (const [i, turn] of turns.entries()) {
    if (i >= from) messages.push(...turnMessages(turn, { isOld: i < base, showsPage: i >= whole, isLast: i === turns.length - 1 }));
  }
  return messages;
}

function turnMessages(turn: Turn, { isOld, showsPage, isLast }: { isOld: boolean; showsPage: boolean; isLast: boolean }): ModelMessage[] {
  const { outcomes, note, seen, picture } = turn;
  const page = seen && showsPage ? `\n\n${seen.text}` : "";
  const thought = isOld ? turn.text.slice(-OLD_THOUGHT_CHARS) : turn.text.slice(-THOUGHT_CHARS);
  if (outcomes.length === 0)
    return [...(thought ? [{ role: "assistant" as const, content: thought }] : []), { role: "user", content: `${note ?? ""}${page}` }];
  const calls = outcomes.map(({ call: { id, name, input } }) => ({
    type: "tool-call" as const,
    toolCallId: id,
    toolName: name,
    input: input ?? {},
  }));
  const results = outcomes.map(({ call, text, long }, i) => {
    const told = isOld ? cutText(text, long ? OLD_EXTRACT_CHARS : OLD_CHARS) : text;
    const value = i === outcomes.length - 1 ? `${told}${page}` : told;
    return { type: "tool-result" as const, toolCallId: call.id, toolName: call.name, output: { type: "text" as const, value } };
  });
  const shown =
    picture && isLast ? [{ role: "user" as const, content: [{ type: "image" as const, image: picture, mediaType: "image/jpeg" }] }] : [];
  return [
    { role: "assistant", content: [...(thought ? [{ type: "text" as const, text: thought }] : []), ...calls] },
    { role: "tool", content: results },
    ...shown,
  ];
}
