/** Server-sent events: our events ⇄ frames of `text/event-stream` (WHATWG HTML, 9.2). */
import { AppError } from "./errors.ts";
import { type NumberedEvent, type RunEvent, RunEventSchema } from "./event.ts";

/** One frame as it came: `id` and `event` as text, `data` its lines joined. A comment-only frame has `data: null`. */
export type SseFrame = { id: string | null; event: string | null; data: string | null };

/** Longer than any event of ours; more is a broken or hostile source. */
export const MAX_FRAME_CHARS = 4 * 1024 * 1024;

/** A comment line: keeps proxies awake, tells the reader nothing. */
export const KEEPALIVE = ":\n\n";

export function formatEvent({ id, event }: NumberedEvent): string {
  return `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`; // JSON has no raw line break
}

/** No run has so many events. */
const MAX_EVENT_ID = 999_999_999_999_999;

/** `Last-Event-ID` as a number; garbage counts as 0. */
export function parseLastEventId(header: string | null | undefined): number {
  return /^\d+$/.test(header?.trim() ?? "") ? Math.min(Number(header), MAX_EVENT_ID) : 0;
}

const KNOWN_TYPES: ReadonlySet<string> = new Set(RunEventSchema.options.map(({ shape }) => shape.type.value));

/** A frame → an event with its number; null for comments and types of a newer version.
 *  @throws POOL_UNREACHABLE: the source does not speak the protocol. */
export function parseEvent(frame: SseFrame): NumberedEvent | null {
  if (frame.data === null) return null;
  const id = frame.id !== null && /^[1-9]\d{0,14}$/.test(frame.id) ? Number(frame.id) : null;
  const value = parseJson(frame.data);
  const event = RunEventSchema.safeParse(value);
  if (id !== null && event.success) return { id, event: event.data satisfies RunEvent };
  if (id !== null && isNewer(value)) return null;
  throw new AppError("POOL_UNREACHABLE", "The node sent an event that is not one");
}

const isNewer = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" && !KNOWN_TYPES.has(value.type);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Frames of a byte stream, in order, each as soon as its blank line is there. Any chunking, any of the three line ends.
 * An unfinished frame at the end is dropped, as the standard says.
 * @throws POOL_UNREACHABLE when a frame grows over MAX_FRAME_CHARS.
 */
export async function* parseFrames(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<SseFrame> {
  const decoder = new TextDecoder(); // drops a leading byte order mark
  let begun = ""; // a line whose end has not come; only ever appended to, so that many small pieces cost no more than few large ones
  let afterCr = false; // a CR ended the last line; an LF that follows belongs to it
  let fields: Fields = noFields();
  for await (const chunk of bytes) {
    const text = decoder.decode(chunk, { stream: true });
    if (text === "") continue;
    let start = 0;
    for (const { 0: end, index } of text.matchAll(/\r\n|\r|\n/g)) {
      const line = begun + text.slice(start, index);
      start = index + end.length;
      if (afterCr && end === "\n" && index === 0) continue;
      begun = "";
      if (line !== "") {
        addLine(fields, line);
      } else {
        if (fields.touched) yield toFrame(fields);
        fields = noFields();
      }
    }
    afterCr = text.endsWith("\r");
    begun += text.slice(start);
    if (begun.length + fields.chars > MAX_FRAME_CHARS) throw new AppError("POOL_UNREACHABLE", "The node sent an event without end");
  }
}

type Fields = { id: string | null; event: string | null; data: string[]; touched: boolean; chars: number };
const noFields = (): Fields => ({ id: null, event: null, data: [], touched: false, chars: 0 });
const toFrame = ({ id, event, data }: Fields): SseFrame => ({ id, event, data: data.length > 0 ? data.join("\n") : null });

function addLine(fields: Fields, line: string): void {
  fields.touched = true;
  fields.chars += line.length;
  const colon = line.indexOf(":");
  if (colon === 0) return; // a comment
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
  if (name === "data") fields.data.push(value);
  else if (name === "event") fields.event = value;
  else if (name === "id" && !value.includes("\0")) fields.id = value;
}
