/** CDP over Chrome's `--remote-debugging-pipe`: messages end with a zero byte. The pipe is the life-line: when it closes, Chrome ends. */
import type { Readable, Writable } from "node:stream";
import type { ConnectionTransport } from "puppeteer-core";

export function openPipe(toChrome: Writable, fromChrome: Readable): ConnectionTransport {
  let parts: Buffer[] = [];
  const transport: ConnectionTransport = {
    send: (message) => {
      if (toChrome.writableCorked === 0) {
        toChrome.cork(); // what is said within a tick goes in one write, and wakes Chrome once
        process.nextTick(() => toChrome.uncork());
      }
      toChrome.write(`${message}\0`);
    },
    close: () => {
      toChrome.destroy();
      fromChrome.destroy();
    },
  };
  // one message a turn of the loop: an answer's `await` goes on before the next event is told, as puppeteer expects it
  const deliver = (message: string) => setImmediate(() => transport.onmessage?.(message));
  fromChrome.on("data", (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(0); end >= 0; end = chunk.indexOf(0, start)) {
      const last = chunk.subarray(start, end);
      deliver(parts.length === 0 ? last.toString() : Buffer.concat([...parts, last]).toString());
      parts = [];
      start = end + 1;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  });
  fromChrome.on("close", () => transport.onclose?.());
  // A broken pipe means that Chrome died: its exit is what is reported, the pipe's complaint adds nothing.
  toChrome.on("error", () => {});
  fromChrome.on("error", () => {});
  return transport;
}
