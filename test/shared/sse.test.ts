import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NumberedEvent, type RunEvent, RunEventSchema } from "../../shared/event.ts";
import { formatEvent, KEEPALIVE, MAX_FRAME_CHARS, parseEvent, parseFrames, parseLastEventId, type SseFrame } from "../../shared/sse.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";

const encoder = new TextEncoder();

async function framesOf(text: string | Uint8Array, cuts: number[] = []): Promise<SseFrame[]> {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  async function* pieces() {
    for (const [i, end] of [...places, bytes.length].entries()) yield bytes.subarray(places[i - 1] ?? 0, end);
  }
  return Array.fromAsync(parseFrames(pieces()));
}

const step = (index: number, description = ""): RunEvent => ({
  type: "step",
  at: "2026-01-01T00:00:00.000Z",
  index,
  action: "click",
  description,
  state: "started",
  attempt: 1,
  error: null,
});

describe("events as frames", () => {
  it("come back as they were, whatever they say, and however the bytes are cut", async () => {
    const events = fc.array(fc.string({ unit: ANY_CHARACTER, maxLength: 30 }), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(events, fc.array(fc.nat(), { maxLength: 20 }), async (texts, cuts) => {
        const sent: NumberedEvent[] = texts.map((text, i) => ({ id: i + 1, event: step(i, text.toWellFormed()) }));
        const frames = await framesOf(sent.map(formatEvent).join(KEEPALIVE), cuts);
        expect(frames.flatMap((frame) => parseEvent(frame) ?? [])).toEqual(sent);
      }),
    );
  });

  it("never hold a raw line break within their data", () => {
    fc.assert(
      fc.property(fc.string({ unit: ANY_CHARACTER }), (text) => {
        expect(formatEvent({ id: 1, event: step(0, text) }).split(/\r\n|\r|\n/)).toHaveLength(5);
      }),
    );
  });
});

describe("parseFrames", () => {
  it("follows the standard's examples", async () => {
    expect(await framesOf("data: YHOO\ndata: +2\ndata: 10\n\n")).toEqual([{ id: null, event: null, data: "YHOO\n+2\n10" }]);
    expect(await framesOf(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n")).toEqual([
      { id: null, event: null, data: null },
      { id: "1", event: null, data: "first event" },
      { id: "", event: null, data: "second event" },
      { id: null, event: null, data: " third event" },
    ]);
    expect(await framesOf("data\n\ndata\ndata\n\ndata:")).toEqual([
      { id: null, event: null, data: "" },
      { id: null, event: null, data: "\n" },
    ]);
  });

  it("takes each of the three line ends, cut anywhere", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("\n", "\r", "\r\n"), { minLength: 6, maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        async ([a, b, c, d, e, f], cuts) => {
          // a CR before an LF would be one line end, so each line but the blank ones has text
          const text = `id: 1${a}event: x${b}data: y${c}${c === "\r" && d === "\n" ? "\r\n" : d}data: z${e}${e === "\r" && f === "\n" ? "\r\n" : f}:end\n`;
          expect(await framesOf(text, cuts)).toEqual([
            { id: "1", event: "x", data: "y" },
            { id: null, event: null, data: "z" },
          ]);
        },
      ),
    );
  });

  it("hands a frame on as soon as its blank line is there", async () => {
    let more = (): void => {};
    async function* source() {
      yield encoder.encode("data: 1\n\ndata: 2\n");
      await new Promise<void>((resolve) => {
        more = resolve;
      });
      yield encoder.encode("\n");
    }
    const frames = parseFrames(source());
    expect((await frames.next()).value?.data).toBe("1");
    const second = frames.next();
    await new Promise(setImmediate);
    more();
    expect((await second).value?.data).toBe("2");
  });

  it("drops a byte order mark, an unfinished frame, an id with a NUL and fields it does not know", async () => {
    expect(await framesOf("\ufeffdata: 1\nretry: 5\nid: a\0b\n\ndata: 2")).toEqual([{ id: null, event: null, data: "1" }]);
  });

  it("gives up on a frame without end, in one line or in many", async () => {
    const error = { code: "POOL_UNREACHABLE" };
    const piece = encoder.encode("x".repeat(MAX_FRAME_CHARS / 4));
    async function* oneLine() {
      yield encoder.encode("data: ");
      for (;;) yield piece;
    }
    async function* manyLines() {
      for (;;) yield encoder.encode(`data: ${"x".repeat(100_000)}\n`);
    }
    for (const source of [oneLine(), manyLines()]) await expect(Array.fromAsync(parseFrames(source))).rejects.toMatchObject(error);
  });

  it("is not slowed down by a line that comes in very many pieces", async () => {
    async function* drops() {
      yield encoder.encode("data: ");
      for (let i = 0; i < 100_000; i++) yield encoder.encode("xxxxxxxxxxxxxxxx");
      yield encoder.encode("\n\n");
    }
    const before = performance.now();
    expect((await Array.fromAsync(parseFrames(drops())))[0]?.data).toHaveLength(1_600_000);
    expect(performance.now() - before).toBeLessThan(4_000);
  });
});

describe("parseEvent", () => {
  it("passes over comments, and over types of a newer version", () => {
    expect(parseEvent({ id: "1", event: null, data: null })).toBeNull();
    expect(parseEvent({ id: "1", event: "approval", data: '{"type":"approval"}' })).toBeNull();
  });

  it.each([
    { id: null, event: null, data: JSON.stringify(step(1)) },
    { id: "0", event: null, data: JSON.stringify(step(1)) },
    { id: "1.5", event: null, data: JSON.stringify(step(1)) },
    { id: "1", event: null, data: "{" },
    { id: "1", event: null, data: '{"type":"step"}' },
  ])("refuses what is no event of ours: %j", (frame) => {
    expect(() => parseEvent(frame)).toThrow(expect.objectContaining({ code: "POOL_UNREACHABLE" }));
  });
});

describe("parseLastEventId", () => {
  it("is the number, and 0 for anything else", () => {
    for (const text of ["", " ", "-1", "1.5", "1e3", "0x10", "١", "1 2", "NaN"]) expect(parseLastEventId(text)).toBe(0);
    expect([parseLastEventId(null), parseLastEventId(undefined), parseLastEventId(" 7 "), parseLastEventId("007")]).toEqual([0, 0, 7, 7]);
    expect([16, 400].map((digits) => parseLastEventId("9".repeat(digits)))).toEqual([999_999_999_999_999, 999_999_999_999_999]); // past any end
    fc.assert(fc.property(fc.nat(), (id) => parseLastEventId(String(id)) === id));
    fc.assert(fc.property(fc.string(), (text) => Number.isSafeInteger(parseLastEventId(text))));
  });
});

it("every event that the schema takes can be sent", () => {
  expect(RunEventSchema.parse(JSON.parse(formatEvent({ id: 3, event: step(2) }).split("data: ")[1] ?? ""))).toEqual(step(2));
});
