/** Redacts a text that comes in chunks. A secret may begin in one and end in another: so much of the end as could be one's beginning waits. */
import type { Redactor } from "./redactor.ts";

/** Together the chunks are what the whole text would be after `redactor.text`, but for values so short that only the whole shows them. */
export async function* redactChunks(
  chunks: AsyncIterable<string> | Iterable<string>,
  redactor: Redactor,
): AsyncGenerator<string, void, undefined> {
  let held = "";
  for await (const chunk of chunks) {
    held += chunk;
    const { reach } = redactor;
    if (held.length < reach * 2) continue;
    let safe = held.length - reach;
    for (const { start, end } of redactor.spans(held)) if (start < safe && end > safe) safe = start; // it may go on
    const ready = redactor.text(held.slice(0, safe));
    held = held.slice(safe);
    if (ready !== "") yield ready;
  }
  if (held !== "") yield redactor.text(held);
}
