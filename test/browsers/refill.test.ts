import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs, isMachineBusy, QUIET_MS, type RefillState, waitBeforeRefill } from "../../pool/browsers/refill.ts";

const IDLE: RefillState = {
  now: 100_000,
  size: 2,
  spares: 0,
  isLaunching: false,
  startingRuns: 0,
  busyRuns: 0,
  slots: 4,
  lastTakenAt: Number.NEGATIVE_INFINITY,
  isMachineBusy: false,
  retryAt: 0,
};
const wait = (change: Partial<RefillState>) => waitBeforeRefill({ ...IDLE, ...change });

describe("refilling", () => {
  it("launches at once on an idle node", () => expect(wait({})).toBe(0));
  it("launches one at a time", () => expect(wait({ isLaunching: true })).toBeNull());
  it("launches no more than wanted", () => expect(wait({ spares: 2 })).toBeNull());
  it("waits while a run starts", () => expect(wait({ startingRuns: 1 })).toBeNull());
  it("leaves the first second to a run that got its browser", () =>
    expect(wait({ busyRuns: 1, lastTakenAt: IDLE.now - 300 })).toBe(QUIET_MS - 300));
  it("does not wait for a run that is over already", () => expect(wait({ busyRuns: 0, lastTakenAt: IDLE.now - 300 })).toBe(0));
  it("waits after a failed launch", () => expect(wait({ retryAt: IDLE.now + 4_000 })).toBe(4_000));
  it.each<[string, Partial<RefillState>, number | null]>([
    ["has one while a slot is free", {}, 0],
    ["has one beside runs at work", { busyRuns: 3 }, 0],
    ["has that one a second after the last run began, as ever", { busyRuns: 3, lastTakenAt: IDLE.now - 300 }, QUIET_MS - 300],
    ["looks again later for a second one", { spares: 1 }, 1_000],
    ["looks again later while no slot is free", { busyRuns: 4 }, 1_000],
    ["launches none beside another launch", { isLaunching: true }, null],
    ["launches none beside a launch for a run that waits", { startingRuns: 1 }, null],
    ["launches none where none is wanted", { size: 0 }, null],
    ["waits after a failed launch", { retryAt: IDLE.now + 4_000 }, 4_000],
  ])("on a busy machine %s", (_, change, expected) => expect(wait({ ...change, isMachineBusy: true })).toBe(expected));
  it("keeps one spare, not two, while every slot is taken", () => {
    expect(wait({ busyRuns: 4, spares: 0 })).toBe(0);
    expect(wait({ busyRuns: 4, spares: 1 })).toBeNull();
  });

  it("calls a machine busy above one load, and calm only below a lower one", () => {
    let isBusy = false;
    const seen = [2.5, 3.1, 2.5, 1.9, 2.5].map((load) => {
      isBusy = isMachineBusy(isBusy, load);
      return isBusy;
    });
    expect(seen).toEqual([false, true, true, false, false]);
  });

  it("waits longer after each failure, a minute at most", () => {
    expect([1, 2, 3, 7, 50].map(backoffMs)).toEqual([1_000, 2_000, 4_000, 60_000, 60_000]);
  });

  it("never launches more than wanted, beside a start, or too early, whatever the state", () => {
    const state = fc.record<RefillState>({
      now: fc.integer({ min: 0, max: 10_000 }),
      size: fc.nat(4),
      spares: fc.nat(5),
      isLaunching: fc.boolean(),
      startingRuns: fc.nat(2),
      busyRuns: fc.nat(4),
      slots: fc.integer({ min: 1, max: 4 }),
      lastTakenAt: fc.integer({ min: 0, max: 10_000 }),
      isMachineBusy: fc.boolean(),
      retryAt: fc.integer({ min: 0, max: 20_000 }),
    });
    fc.assert(
      fc.property(state, (given) => {
        if (waitBeforeRefill(given) !== 0) return;
        expect(given.spares).toBeLessThan(given.size);
        expect([given.isLaunching, given.startingRuns]).toEqual([false, 0]);
        if (given.isMachineBusy) expect([given.spares, given.busyRuns < given.slots]).toEqual([0, true]);
        expect(given.retryAt).toBeLessThanOrEqual(given.now);
      }),
    );
  });
});
