import { describe, expect, it } from "vitest";
import { prime, primedStream, type StreamOptions } from "../../../edge/relay/primed.ts";
import type { WireAnswer } from "../../../edge/wire/exchange.ts";

const chunk = (text: string) => new TextEncoder().encode(text);

/** A source of these chunks; an Error among them is thrown. It counts what was asked of it. */
function source(...script: (Uint8Array | Error | "silence")[]) {
  const counts = { reads: 0, cancels: 0 };
  const answer: WireAnswer = {
    status: 200,
    field: () => undefined,
    keepAlive: true,
    whole: null,
    async read() {
      counts.reads++;
      const next = script.shift() ?? null;
      if (next instanceof Error) throw next;
      return next === "silence" ? new Promise<never>(() => {}) : next;
    },
    cancel() {
      counts.cancels++;
    },
  };
  return { answer, counts };
}

function options() {
  const told = { passed: 0, ended: 0, broken: [] as unknown[] };
  const given: StreamOptions = {
    onPassed: (bytes) => {
      told.passed += bytes;
    },
    onEnd: () => {
      told.ended++;
    },
    onBroken: (error) => told.broken.push(error),
  };
  return { told, given };
}

describe("prime", () => {
  it("reads once, and has the first chunk in hand", async () => {
    const { answer, counts } = source(chunk("a"), chunk("b"));
    expect((await prime(answer, 1_000)).first).toEqual(chunk("a"));
    expect(counts).toEqual({ reads: 1, cancels: 0 });
  });

  it("passes over chunks without a byte, and tells an empty body by null", async () => {
    expect((await prime(source(new Uint8Array(0), chunk("a")).answer, 1_000)).first).toEqual(chunk("a"));
    expect((await prime(source().answer, 1_000)).first).toBeNull();
  });

  it("cancels a source that fails or is silent", async () => {
    const failing = source(new Error("reset"));
    await expect(prime(failing.answer, 1_000)).rejects.toThrow("reset");
    const silent = source("silence");
    await expect(prime(silent.answer, 10)).rejects.toMatchObject({ code: "UPSTREAM_TIMEOUT", details: { reason: "idle" } });
    expect([failing.counts.cancels, silent.counts.cancels]).toEqual([1, 1]);
  });
});

describe("a primed stream", () => {
  const open = async (script: Parameters<typeof source>, more: Partial<StreamOptions> = {}, idleMs = 1_000) => {
    const { answer, counts } = source(...script);
    const { told, given } = options();
    return { counts, told, stream: primedStream(await prime(answer, idleMs), { ...given, ...more }) };
  };

  it("reads nothing ahead of its reader", async () => {
    const { counts, stream } = await open([chunk("a"), chunk("b"), chunk("c")]);
    await new Promise(setImmediate);
    expect(counts.reads).toBe(1);
    const reader = stream.getReader();
    await reader.read();
    await new Promise(setImmediate);
    expect(counts.reads).toBe(1);
    await reader.read();
    await new Promise(setImmediate);
    expect(counts.reads).toBe(2);
  });

  it("gives every chunk as it is, counts it, and ends once", async () => {
    const { told, stream } = await open([chunk("ab"), chunk("c")]);
    expect(await new Response(stream).text()).toBe("abc");
    expect(told).toEqual({ passed: 3, ended: 1, broken: [] });
  });

  it("is an error when its source fails later, and says how much was passed on", async () => {
    const { counts, told, stream } = await open([chunk("ab"), new Error("reset")]);
    const reader = stream.getReader();
    await reader.read();
    await expect(reader.read()).rejects.toMatchObject({
      code: "POOL_UNREACHABLE",
      details: { passed_bytes: 2 },
      cause: { message: "reset" },
    });
    expect([counts.cancels, told.ended, told.broken.length]).toEqual([1, 1, 1]);
  });

  it("breaks the connection itself where it can", async () => {
    let broke = 0;
    const { told, stream } = await open([chunk("ab"), new Error("reset")], {
      breakOff: () => {
        broke++;
      },
    });
    const reader = stream.getReader();
    await reader.read();
    await reader.read();
    expect([broke, told.ended, told.broken.length]).toEqual([1, 1, 1]);
  });

  it("is an error when its source goes silent", async () => {
    const { stream } = await open([chunk("ab"), "silence"], {}, 10);
    const reader = stream.getReader();
    await reader.read();
    await expect(reader.read()).rejects.toMatchObject({ cause: { details: { reason: "idle" } } });
  });

  it("cancels its source at once when the reader leaves, even before the first pull", async () => {
    const { counts, told, stream } = await open([chunk("ab"), "silence"]);
    await stream.cancel("left");
    expect([counts.cancels, told.ended]).toEqual([1, 1]);

    const waiting = await open([chunk("ab"), "silence"]);
    const reader = waiting.stream.getReader();
    await reader.read();
    const pending = reader.read();
    await reader.cancel("left");
    expect((await pending).done).toBe(true);
    expect(waiting.counts.cancels).toBe(1);
  });
});
