import { afterEach, expect, it, vi } from "vitest";
import { createDraining } from "../pool/draining.ts";
import { type LiveRun, LiveRuns } from "../pool/session/live-runs.ts";
import { quiet } from "./support/run-fixtures.ts";

afterEach(() => void vi.useRealTimers());

/** A node whose worker drains when `taken` resolves, with one run in hand that `settle` ends, and one entry in its outbox. */
function node({ taken = Promise.resolve(), tell = async () => {} }: { taken?: Promise<void>; tell?: () => Promise<void> } = {}) {
  const live = new LiveRuns();
  const settled = Promise.withResolvers<void>();
  const stop = vi.fn();
  live.add({ runId: "r", attempt: 1, settled: settled.promise, stop } as Partial<LiveRun> as LiveRun);
  const delivered = Promise.withResolvers<void>();
  const outbox = { isEmpty: false, emptied: () => delivered.promise };
  const worker = {
    state: "ready" as "ready" | "draining" | "drained",
    async drain() {
      worker.state = "drained"; // its slots are free before what the runs leave is stored
      await taken;
    },
    resume() {
      worker.state = "ready";
    },
    idle: async () => {},
  };
  const draining = createDraining({ worker, live, outbox, tell, log: quiet });
  const deliver = () => {
    outbox.isEmpty = true;
    delivered.resolve();
  };
  return { draining, stop, deliver, settle: settled.resolve, live };
}

it("is drained once what the runs leave is stored, not when their slots are free", async () => {
  const { draining, settle, live, deliver } = node();
  expect(draining.state).toBe("ready");
  await draining.drain(null);
  expect(draining.state).toBe("draining");
  settle();
  await live.settled();
  expect(draining.state).toBe("draining");
  deliver();
  expect(draining.state).toBe("drained");
});

it("ends no run of a node that was taken back while a drain with a grace was still under way", async () => {
  vi.useFakeTimers();
  const taken = Promise.withResolvers<void>();
  const { draining, stop } = node({ taken: taken.promise });
  const both = [draining.drain(1), draining.resume()];
  taken.resolve();
  await Promise.all(both);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(stop).not.toHaveBeenCalled();
  await Promise.all([draining.drain(1), draining.drain(3)]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(stop).not.toHaveBeenCalled(); // the later grace counts
  await vi.advanceTimersByTimeAsync(2_000);
  expect(stop).toHaveBeenCalledOnce();
});

it("drains and resumes while nobody can be told", async () => {
  const { draining } = node({ tell: () => Promise.reject(new Error("the store is away")) });
  await draining.drain(null);
  expect(draining.state).toBe("draining");
  await draining.resume();
  expect(draining.state).toBe("ready");
});

it("ends when what the runs have left is delivered, or the grace is over", async () => {
  const delivering = node();
  const ended = vi.fn();
  const ending = delivering.draining.shutDown(60_000).then(ended);
  delivering.settle();
  await delivering.live.settled();
  await new Promise(setImmediate);
  expect(ended).not.toHaveBeenCalled();
  delivering.deliver();
  await ending;
  const late = node();
  late.settle();
  await late.draining.shutDown(0);
  expect(late.draining.state).toBe("draining"); // its next start delivers
});
