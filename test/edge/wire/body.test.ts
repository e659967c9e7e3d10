import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Read, readBody } from "../../../edge/wire/body.ts";
import type { Framing } from "../../../edge/wire/head.ts";

const EMPTY = new Uint8Array(0);
const bytes = (text: string) => new TextEncoder().encode(text);

/** The pieces, one a read, then the connection's end. */
function source(pieces: Uint8Array[]): Read {
  const left = [...pieces];
  return async () => left.shift() ?? null;
}

async function readAll(framing: Framing, pieces: Uint8Array[], rest: Uint8Array = EMPTY): Promise<{ body: Uint8Array; ends: boolean[] }> {
  const ends: boolean[] = [];
  const read = readBody(framing, rest, source(pieces), (reusable) => ends.push(reusable));
  const chunks: Uint8Array[] = [];
  for (let chunk = await read(); chunk !== null; chunk = await read()) chunks.push(chunk);
  expect(await read()).toBeNull(); // an end stays one
  return { body: Buffer.concat(chunks), ends };
}

/** Cuts at the given places: a body may arrive in any pieces. */
const cut = (whole: Uint8Array, places: number[]): Uint8Array[] => {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [...at, whole.length].map((end, i) => whole.subarray(at[i - 1] ?? 0, end)).filter((piece) => piece.length > 0);
};

const truncated = expect.objectContaining({ details: { reason: "truncated" } });
const garbage = expect.objectContaining({ details: { reason: "garbage" } });

describe("a chunked body", () => {
  const encode = (chunks: Uint8Array[]) =>
    Buffer.concat([
      ...chunks.flatMap((chunk) => [bytes(`${chunk.length.toString(16)};ext="1"\r\n`), chunk, bytes("\r\n")]),
      bytes("0\r\nTrailer: x\r\n\r\n"),
    ]);

  it("is what was sent, however it is cut into chunks and pieces", async () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(chunks, fc.array(fc.nat(), { maxLength: 12 }), async (chunks, places) => {
        const { body, ends } = await readAll({ kind: "chunked" }, cut(encode(chunks), places));
        expect(Buffer.compare(body, Buffer.concat(chunks))).toBe(0);
        expect(ends).toEqual([true]);
      }),
    );
  });

  it("is an error wherever it breaks off", async () => {
    const whole = encode([bytes("hello"), bytes("world")]);
    for (let length = 0; length < whole.length; length++) {
      await expect(
        readAll(
          { kind: "chunked" },
          [Uint8Array.from(whole.subarray(0, length))].filter((piece) => piece.length > 0),
        ),
      ).rejects.toEqual(truncated);
    }
  });

  it.each([
    "hello",
    "\r\n",
    "5\r\nhelloX\r\n",
    "-1\r\n",
    "0x5\r\nhello\r\n",
    "5 x\r\nhello\r\n",
    `${"5".repeat(2000)}\r\n`,
    "fffffffffffff\r\n",
  ])("is an error when it is %j", async (text) => {
    await expect(readAll({ kind: "chunked" }, [bytes(`${text}\r\n`)])).rejects.toEqual(garbage);
  });

  it("leaves no connection for reuse on which more has come", async () => {
    expect((await readAll({ kind: "chunked" }, [bytes("0\r\n\r\nHTTP/1.1 200 OK")])).ends).toEqual([false]);
  });
});

describe("a body with a length", () => {
  it("ends there, and its connection may be used again if nothing follows", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 100 }),
        fc.array(fc.nat()),
        fc.uint8Array({ maxLength: 5 }),
        async (body, places, after) => {
          const whole = Buffer.concat([body, after]);
          const [rest = EMPTY, ...pieces] = cut(whole, places);
          const outcome = await readAll({ kind: "length", bytes: body.length }, pieces, rest);
          expect(Buffer.compare(outcome.body, body)).toBe(0);
          expect(outcome.ends).toHaveLength(1);
          if (outcome.ends[0] && places.length === 0) expect(after).toHaveLength(0);
        },
      ),
    );
  });

  it("is an error when it ends before", async () => {
    await expect(readAll({ kind: "length", bytes: 6 }, [bytes("hello")])).rejects.toEqual(truncated);
    await expect(readAll({ kind: "length", bytes: 6 }, [])).rejects.toEqual(truncated);
  });
});

describe("a body without a frame", () => {
  it("goes on to the end of the connection, which is not used again", async () => {
    const { body, ends } = await readAll({ kind: "close" }, [bytes("lo")], bytes("hel"));
    expect([new TextDecoder().decode(body), ends]).toEqual(["hello", [false]]);
  });
});
