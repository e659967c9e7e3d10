import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answered, beat, type Heartbeat, type HeartbeatLimits, newHeartbeat } from "../../pool/browsers/heartbeat.ts";

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
