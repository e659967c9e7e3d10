/** Async iterables as response bodies. */

/**
 * A body that is pulled: the source is read only as fast as the client reads, and closed when the client leaves.
 * An error of the source breaks the connection, so that no half answer looks whole.
 */
export function toBody(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
