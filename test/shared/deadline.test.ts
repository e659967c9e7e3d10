import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { pause, untilAborted, withDeadline } from "../../shared/deadline.ts";

const never = () => new Promise<never>(() => {});

describe("withDeadline", () => {
  it("gives the work's outcome when it is in time", async () => {
    await expect(withDeadline(1_000, async () => 7)).resolves.toBe(7);
    await expect(withDeadline(1_000, () => Promise.reject(new Error("own")))).rejects.toThrow("own");
  });

  it("rejects at the limit though the work does not listen, and tells the work", async () => {
    let told: unknown = null;
    const work = (signal: AbortSignal) => {
      signal.addEventListener("abort", () => {
        told = signal.reason;
      });
      return never();
    };
    const reason = new Error("too late");
    await expect(withDeadline(5, work, { reason: () => reason })).rejects.toBe(reason);
    expect(told).toBe(reason);
    await expect(withDeadline(5, never)).rejects.toMatchObject({ name: "TimeoutError" });
  });

  it("rejects with the outer signal's reason, and does not begin when that is aborted", async () => {
    const stop = new AbortController();
    const reason = new Error("stopped");
    const waiting = withDeadline(60_000, never, { signal: stop.signal });
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    let begun = false;
    const work = async () => {
      begun = true;
    };
    await expect(withDeadline(60_000, work, { signal: stop.signal })).rejects.toBe(reason);
    expect(begun).toBe(false);
  });
});

describe("untilAborted", () => {
  it("leaves no listener behind, however it ends", async () => {
    const stop = new AbortController();
    await untilAborted(Promise.resolve(1), stop.signal);
    await untilAborted(Promise.reject(new Error("own")), stop.signal).catch(() => {});
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
  });

  it("takes the reason of a signal that is aborted already, and swallows what the work does afterwards", async () => {
    await expect(untilAborted(Promise.reject(new Error("own")), AbortSignal.abort("first"))).rejects.toBe("first");
  });
});

describe("pause", () => {
  it("ends by itself, or at once with the signal's reason, and leaves no listener", async () => {
    const stop = new AbortController();
    await pause(1, stop.signal);
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
    const waiting = pause(60_000, stop.signal);
    stop.abort("stopped");
    await expect(waiting).rejects.toBe("stopped");
    await expect(pause(60_000, stop.signal)).rejects.toBe("stopped");
  });
});
