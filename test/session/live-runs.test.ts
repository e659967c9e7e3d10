import { expect, it, vi } from "vitest";
import { type LiveRun, LiveRuns } from "../../pool/session/live-runs.ts";

it("tells an attempt that is lost to let go, also where the next one of the same run is here already", () => {
  const live = new LiveRuns();
  const attempt = (attempt: number) => {
    const gone = vi.fn();
    live.add({ runId: "r", attempt, gone, settled: new Promise<void>(() => {}) } as Partial<LiveRun> as LiveRun);
    return gone;
  };
  const [first, second] = [attempt(1), attempt(2)];
  live.gone("r", 1);
  expect(first).toHaveBeenCalledOnce();
  expect(second).not.toHaveBeenCalled();
});
