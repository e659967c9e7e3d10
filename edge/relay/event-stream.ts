/** Text that comes when it comes → a response body that is pulled, with a comment whenever nothing has come for a while. */
import { KEEPALIVE } from "../../shared/sse.ts";
import { endBroken, type StreamOptions } from "./primed.ts";

export type EventStreamOptions = StreamOptions & {
  keepaliveMs: number;
  /** Told when the client leaves: whatever the source waits for must end. */
  stop(reason: unknown): void;
};

const encoder = new TextEncoder();

/** A comment goes out at once, so that the headers do too. A client who does not read is not read for. */
export function eventStream(source: AsyncIterator<string>, options: EventStreamOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
  let next: Promise<IteratorResult<string>> | null = null; // under way; it outlives the keep-alives that are sent meanwhile
  let begun = false;
  return new ReadableStream(
    {
      async pull(controller) {
        const send = (text: string) => {
          const bytes = encoder.encode(text);
          options.onPassed(bytes.byteLength);
          controller.enqueue(bytes);
        };
        if (!begun) {
          begun = true;
          return send(KEEPALIVE);
        }
        try {
          next ??= source.next();
          const result = await Promise.race([next, later(options.keepaliveMs, next)]);
          if (result === "later") return send(KEEPALIVE);
          next = null;
          if (!result.done) return send(result.value);
          options.onEnd();
          controller.close();
        } catch (error) {
          endBroken(controller, options, error);
        }
      },
      cancel(reason) {
        next?.catch(() => {}); // it ends with the stop, and nobody is left to hear it
        options.stop(reason);
        options.onEnd();
      },
    },
    { highWaterMark: 0 },
  );
}

/** "later" after so long, unless the other settles first; its timer goes with it. */
function later(ms: number, other: Promise<unknown>): Promise<"later"> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve("later"), ms);
    const clear = () => clearTimeout(timer);
    other.then(clear, clear);
  });
}
