import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createClocks } from "../../pool/session/clocks.ts";
import type { AppError } from "../../shared/errors.ts";

describe("the clocks of a run", () => {
  let fired: AppError[];
  const open = (limits = { queue: 600, start: 30, idle: 120 }, totalS = 600) =>
    createClocks({ limits, totalS, queuedS: 7, onFire: (error) => fired.push(error) });
  const firedNames = () => fired.map(({ code, details }) => [code, details?.clock]);

  beforeEach(() => {
    fired = [];
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  it("names the start clock when the browser does not come", () => {
    open().starting();
    vi.advanceTimersByTime(30_001);
    expect(firedNames()).toEqual([["TIMEOUT", "start"]]);
  });

  it("names the total clock, counted from running on", () => {
    const clocks = open(undefined, 60);
    clocks.starting();
    vi.advanceTimersByTime(20_000);
    clocks.running();
    vi.advanceTimersByTime(59_000);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(1_001);
    expect(firedNames()).toEqual([["TIMEOUT", "total"]]);
  });

  it("names the idle clock, begun anew by each event and held while a model is asked", () => {
    const clocks = open({ queue: 600, start: 30, idle: 10 });
    clocks.running();
    vi.advanceTimersByTime(9_000);
    clocks.touch();
    vi.advanceTimersByTime(9_000);
    const release = clocks.hold();
    clocks.touch();
    vi.advanceTimersByTime(60_000);
    release();
    release();
    vi.advanceTimersByTime(9_999);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(firedNames()).toEqual([["TIMEOUT", "idle"]]);
  });

  it("shows what each counted, and fires no more once stopped", () => {
    const clocks = open(undefined, 60);
    clocks.starting();
    vi.advanceTimersByTime(2_000);
    clocks.running();
    vi.advanceTimersByTime(5_000);
    clocks.stop();
    vi.advanceTimersByTime(100_000);
    expect(clocks.read()).toEqual({
      queue: { limit_s: 600, used_s: 7 },
      start: { limit_s: 30, used_s: 2 },
      idle: { limit_s: 120, used_s: 5 },
      total: { limit_s: 60, used_s: 5 },
    });
    expect(fired).toEqual([]);
  });
});
