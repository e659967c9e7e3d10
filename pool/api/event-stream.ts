/** A run's events as an SSE response. */
import type { NumberedEvent } from "../../shared/event.ts";
import { formatEvent, KEEPALIVE } from "../../shared/sse.ts";

const KEEPALIVE_MS = 15_000;
const encoder = new TextEncoder();

/** Streams the events that `read` yields; a comment line while it is silent. Pulled: a slow reader waits, none is buffered for it. */
export function eventStream(read: (signal: AbortSignal) => AsyncIterable<NumberedEvent>): Response {
  const leaving = new AbortController();
  const events = read(leaving.signal)[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<NumberedEvent>> | null = null;
  let opened = false;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (!opened) {
          opened = true;
          controller.enqueue(encoder.encode(KEEPALIVE)); // sends the head at once, however long the first event takes
          return;
        }
        pending ??= events.next();
        const next = await orSilence(pending);
        if (next === "silence") {
          controller.enqueue(encoder.encode(KEEPALIVE));
          return;
        }
        pending = null;
        if (next.done) controller.close();
        else controller.enqueue(encoder.encode(formatEvent(next.value)));
      },
      async cancel() {
        leaving.abort();
        await events.return?.();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no" } });
}

async function orSilence<T>(next: Promise<T>): Promise<T | "silence"> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<"silence">((resolve) => {
    timer = setTimeout(() => resolve("silence"), KEEPALIVE_MS);
  });
  try {
    return await Promise.race([next, silence]);
  } finally {
    clearTimeout(timer);
  }
}
