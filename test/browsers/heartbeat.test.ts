import fc from "fast-check";
import type { CDPSession } from "puppeteer-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { answered, beat, type Heartbeat, type HeartbeatLimits, newHeartbeat } from "../../pool/browsers/heartbeat.ts";
import { watchOpening } from "../../pool/browsers/opening-watch.ts";

const LIMITS: HeartbeatLimits = { restTicks: 2, limitTicks: 5, aidTicks: 3 };

/** Ticks, with an answer before the tick where the list says so; the orders given, one a tick. */
function replay(answers: boolean[], mayAid: boolean): (string | null)[] {
  let heart: Heartbeat = newHeartbeat(mayAid);
  return answers.map((isAnswered) => {
    if (isAnswered) heart = answered(heart);
    const [next, todo] = beat(heart, LIMITS);
    heart = next;
    return todo;
  });
}
const silence = (n: number) => Array.from({ length: n }, () => false);

describe("heartbeat", () => {
  it("asks again and again while it is answered", () => {
    expect(replay([false, false, true, false, true, false], true)).toEqual([null, "ask", null, "ask", null, "ask"]);
  });

  it("gives up after the limit, once", () => {
    expect(replay(silence(10), false)).toEqual([null, "ask", null, null, null, null, "give up", null, null, null]);
  });

  it("gives first aid at the limit, and up when that did not help", () => {
    expect(replay(silence(11), true)).toEqual([null, "ask", null, null, null, null, "aid", null, null, "give up", null]);
  });

  it("gives first aid once only", () => {
    const orders = replay([...silence(8), true, ...silence(10)], true);
    expect(orders.filter((order) => order === "aid")).toHaveLength(1);
    expect(orders.filter((order) => order === "give up")).toHaveLength(1);
  });

  it("never gives up on what answers within the limit, however it varies", () => {
    const gaps = fc.array(fc.integer({ min: 1, max: LIMITS.limitTicks }), { maxLength: 60 });
    fc.assert(
      fc.property(gaps, fc.boolean(), (silences, mayAid) => {
        const orders = replay(
          silences.flatMap((gap) => [true, ...silence(gap - 1)]),
          mayAid,
        );
        expect(orders).not.toContain("give up");
        expect(orders).not.toContain("aid");
      }),
    );
  });

  it("always gives up on what stays silent, whatever was before", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), fc.boolean(), (before, mayAid) => {
        const orders = replay([...before, ...silence(LIMITS.restTicks + LIMITS.limitTicks + LIMITS.aidTicks)], mayAid);
        expect(orders.filter((order) => order === "give up")).toHaveLength(1);
      }),
    );
  });
});

describe("the watch over a tab that opens", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** The tick in which it says that the Chrome is broken, and how; asked for so many. */
  async function brokenAt(ticks: number, { answers, load = 0 }: { answers: boolean; load?: number }) {
    let questions = 0;
    const send = () => {
      questions += 1;
      return answers ? Promise.resolve({}) : new Promise(() => {});
    };
    using watch = watchOpening({ send } as unknown as CDPSession, { loadPerCpu: () => load });
    let at = 0;
    while (at < ticks && !watch.broken.aborted) {
      await vi.advanceTimersByTimeAsync(1_000);
      at += 1;
    }
    return { at: watch.broken.aborted ? at : null, how: (watch.broken.reason as Error | undefined)?.message, questions };
  }

  it("calls a Chrome broken that does not answer, later on a busy machine", async () => {
    expect(await brokenAt(60, { answers: false })).toEqual({ at: 5, how: "The browser process does not answer", questions: 1 });
    expect(await brokenAt(60, { answers: false, load: 3 })).toMatchObject({ at: 13 });
    expect(await brokenAt(60, { answers: false, load: 50 })).toMatchObject({ at: 17 });
  });

  it("lets one that answers take its time, though not for ever", async () => {
    expect(await brokenAt(19, { answers: true })).toMatchObject({ at: null, questions: 19 });
    expect(await brokenAt(60, { answers: true })).toMatchObject({ at: 20, how: expect.stringContaining("opens no tab") });
    expect(await brokenAt(60, { answers: true, load: 2 })).toMatchObject({ at: 40 });
  });

  it("asks nothing of a Chrome that opens its tab at once", async () => {
    expect(await brokenAt(0, { answers: true })).toEqual({ at: null, how: undefined, questions: 0 });
  });
});
