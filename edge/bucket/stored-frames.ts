/** `events.jsonl` → the frames of an event stream, from behind an id. */
import { unwell } from "../../shared/bucket.ts";
import { MAX_FRAME_CHARS } from "../../shared/sse.ts";

/** @throws POOL_UNREACHABLE when a line is no event */
export async function* storedFrames(bytes: AsyncIterable<Uint8Array>, afterId: number): AsyncGenerator<string, undefined> {
  for await (const line of linesOf(bytes)) {
    const { id, type, ...event } = parseLine(line);
    if (id > afterId) yield `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify({ type, ...event })}\n\n`;
  }
  return undefined;
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let begun = "";
  for await (const chunk of bytes) {
    const lines = (begun + decoder.decode(chunk, { stream: true })).split("\n");
    begun = lines.pop() ?? "";
    if (begun.length > MAX_FRAME_CHARS) throw notAnEvent();
    yield* lines;
  }
  if (begun !== "") throw notAnEvent(); // each line was written with its end
}

function parseLine(line: string): { id: number; type: string } & Record<string, unknown> {
  try {
    const value = JSON.parse(line);
    if (Number.isSafeInteger(value.id) && value.id > 0 && /^[a-z_]{1,50}$/.test(value.type)) return value;
  } catch {
    // below: not ours
  }
  throw notAnEvent();
}

const notAnEvent = () => unwell("garbage", "holds something that is no event");
