import { PassThrough, Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openPipe } from "../../pool/browsers/pipe-transport.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";

describe("the pipe to Chrome", () => {
  it("gives the messages back whole and in order, however the bytes are cut", async () => {
    const message = fc.string({ unit: ANY_CHARACTER, maxLength: 30 }).filter((text) => !text.includes("\0") && text.isWellFormed());
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        async (sent, cuts) => {
          const fromChrome = new PassThrough();
          const transport = openPipe(new PassThrough(), fromChrome);
          const received: string[] = [];
          const all = new Promise<void>((resolve) => {
            transport.onmessage = (text) => {
              received.push(text);
              if (received.length === sent.length) resolve();
            };
          });
          const bytes = Buffer.from(sent.map((text) => `${text}\0`).join(""));
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = cuts[i % cuts.length] ?? 1;
            fromChrome.write(bytes.subarray(at, at + size));
            at += size;
          }
          await all;
          expect(received).toEqual(sent);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("ends each message that it sends with a zero byte, and sends those of a tick at once", async () => {
    const writes: string[] = [];
    const toChrome = new Writable({
      writev(chunks, callback) {
        writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)).toString());
        callback();
      },
    });
    const transport = openPipe(toChrome, new PassThrough());
    for (const id of [1, 2]) transport.send(`{"id":${id}}`);
    await nextTurn();
    transport.send('{"id":3}');
    await nextTurn();
    expect(writes).toEqual(['{"id":1}\0{"id":2}\0', '{"id":3}\0']);
  });

  it("tells when Chrome closed its end", async () => {
    const fromChrome = new PassThrough();
    const transport = openPipe(new PassThrough(), fromChrome);
    const closed = new Promise<void>((resolve) => {
      transport.onclose = resolve;
    });
    fromChrome.destroy();
    await closed;
  });
});
