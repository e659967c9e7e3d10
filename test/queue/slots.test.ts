import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { createSlots, type SlotLease } from "../../pool/queue/slots.ts";
import { quiet } from "../support/run-fixtures.ts";

const never = new AbortController().signal;

describe("slots", () => {
  it("are given out while they last, and served to those that wait in order", async () => {
    using slots = createSlots({ total: 2, log: quiet });
    const first = slots.take() as SlotLease;
    const second = slots.take() as SlotLease;
    expect(slots.take()).toBeNull();
    expect(slots.busy).toBe(2);
    const served: string[] = [];
    const a = slots.next(never).then((lease) => [served.push("a"), lease] as const);
    const b = slots.next(never).then((lease) => [served.push("b"), lease] as const);
    first[Symbol.dispose]();
    second[Symbol.dispose]();
    for (const [, lease] of await Promise.all([a, b])) lease[Symbol.dispose]();
    expect(served).toEqual(["a", "b"]);
    expect(slots.busy).toBe(0);
  });

  it("come back once, however often they are given back", () => {
    using slots = createSlots({ total: 1, log: quiet });
    const lease = slots.take() as SlotLease;
    lease[Symbol.dispose]();
    const next = slots.take() as SlotLease;
    lease[Symbol.dispose](); // must not free the next one's
    expect(slots.busy).toBe(1);
    next[Symbol.dispose]();
    expect(slots.busy).toBe(0);
  });

  it("are taken back when their time is over, however busy, and their holder is told", () => {
    vi.useFakeTimers();
    try {
      using slots = createSlots({ total: 1, log: quiet });
      const told: string[] = [];
      const lease = slots.take() as SlotLease;
      lease.hold({ run_id: "run-1", onExpired: () => told.push("run-1") }, 1_000);
      vi.advanceTimersByTime(999);
      expect(told).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(told).toEqual(["run-1"]);
      expect(slots.busy).toBe(0);
      lease[Symbol.dispose]();

      const rude = slots.take() as SlotLease;
      rude.hold({ run_id: "run-2", onExpired: () => expect.fail("a holder that throws") }, 1_000);
      vi.advanceTimersByTime(1_000);
      expect(slots.busy).toBe(0);

      slots.take(); // nobody ever says who holds it
      vi.advanceTimersByTime(180_000);
      expect(slots.busy).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("are not given to who has left, whether it left before or after its turn came", async () => {
    using slots = createSlots({ total: 1, log: quiet });
    await expect(slots.next(AbortSignal.abort(new RangeError("gone")))).rejects.toThrow(RangeError);
    const lease = slots.take() as SlotLease;
    const leaving = new AbortController();
    const waiting = slots.next(leaving.signal);
    const other = slots.next(never);
    leaving.abort(new RangeError("gone"));
    await expect(waiting).rejects.toThrow(RangeError);
    lease[Symbol.dispose]();
    (await other)[Symbol.dispose]();
    expect(slots.busy).toBe(0);
  });

  it("never leak and never exceed their number, whatever throws, leaves or expires in them", async () => {
    const user = fc.record({
      awaits: fc.nat(4),
      throwsAt: fc.option(fc.nat(4)),
      abortsAt: fc.option(fc.nat(4)),
      disposesTwice: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(user, { maxLength: 12 }), async (total, users) => {
        using slots = createSlots({ total, log: quiet });
        let inside = 0;
        const visits = users.map(async ({ awaits, throwsAt, abortsAt, disposesTwice }) => {
          const leaving = new AbortController();
          if (abortsAt === 0) leaving.abort();
          using lease = await slots.next(leaving.signal);
          inside += 1;
          expect(inside).toBeLessThanOrEqual(total);
          try {
            lease.hold({ run_id: "run", onExpired: () => {} }, 10_000);
            for (let i = 0; i < awaits; i++) {
              await Promise.resolve();
              if (i === throwsAt) throw new RangeError("inside");
              if (i === abortsAt) leaving.abort();
              leaving.signal.throwIfAborted();
            }
          } finally {
            inside -= 1;
            if (disposesTwice) lease[Symbol.dispose]();
          }
        });
        await Promise.allSettled(visits);
        expect(slots.busy).toBe(0);
      }),
    );
  });
});
