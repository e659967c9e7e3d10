/** Headers wait for a first byte: a source is opened and read once before anything is promised to the client. */
import { AppError } from "../../shared/errors.ts";
import type { Read } from "../wire/body.ts";
import type { WireAnswer } from "../wire/exchange.ts";
import { withIdleLimit } from "./idle.ts";

/** A source with its first chunk in hand; `first` null: its body is empty. */
export type Primed = { answer: WireAnswer; first: Uint8Array | null; read: Read };

/** @throws what the first read does; the source is then closed */
export async function prime(answer: WireAnswer, idleMs: number): Promise<Primed> {
  const read = withIdleLimit(answer.read, idleMs);
  try {
    let first = await read();
    while (first !== null && first.byteLength === 0) first = await read();
    return { answer, first, read };
  } catch (error) {
    answer.cancel();
    throw error;
  }
}

export type StreamOptions = {
  /** After each chunk that was handed over. Counted before it has left: the safe side. */
  onPassed(bytes: number): void;
  /** Once, however the stream ends: true end, failure or the reader's leaving. */
  onEnd(): void;
  /** Beside that, when it failed. */
  onBroken(error: unknown): void;
  /** Breaks the client's connection, where the runtime gives that into our hands; else an error in the stream does. */
  breakOff?: () => void;
};

/**
 * The body as a stream that the client pulls: nothing is read before it is asked for (`highWaterMark: 0`), and a client who leaves cancels the
 * source at once. By hand, because each generator or transform in between would read ahead or lose the cancel.
 */
export function primedStream({ answer, first, read }: Primed, options: StreamOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
  let chunk: Uint8Array | null = first;
  let passedBytes = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          chunk ??= await read();
        } catch (cause) {
          answer.cancel();
          const details = { passed_bytes: passedBytes };
          return endBroken(controller, options, new AppError("POOL_UNREACHABLE", "The source broke off", { cause, details }));
        }
        if (chunk === null) {
          options.onEnd();
          return controller.close();
        }
        passedBytes += chunk.byteLength;
        options.onPassed(chunk.byteLength);
        controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
        chunk = null;
      },
      cancel() {
        answer.cancel();
        options.onEnd();
      },
    },
    { highWaterMark: 0 },
  );
}

/** The client must see an error, not an end. Once its connection is broken, closing the stream only lets go of it. */
export function endBroken(controller: ReadableStreamDefaultController, { onEnd, onBroken, breakOff }: StreamOptions, error: unknown): void {
  onEnd();
  onBroken(error);
  if (breakOff) {
    breakOff();
    controller.close();
  } else {
    controller.error(error);
  }
}
