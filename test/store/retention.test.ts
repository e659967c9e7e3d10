import { expect, it } from "vitest";
import { startRetention, sweepOldRuns } from "../../pool/retention.ts";
import { deleteRun, readStatus } from "../../pool/store/runs.ts";
import { addStepCounts, readStepTotals } from "../../pool/store/step-counts.ts";
import type { Volume } from "../../pool/volume/volume.ts";
import { OUTCOME, quiet } from "../support/run-fixtures.ts";
import { claimedRun, eachStore, eventually } from "../support/store.ts";

eachStore("retention", (opened) => {
  /** The oldest first. */
  async function settledRuns(count: number): Promise<string[]> {
    const runs: string[] = [];
    for (let i = 0; i < count; i++) {
      const { fence } = await claimedRun(opened());
      await opened().writer.transition(fence, "completed", { ...OUTCOME, settled: true });
      runs.push(fence.run_id);
    }
    return runs;
  }

  it("forgets what is known of steps though the runs cannot be swept", async () => {
    const { store } = opened();
    const old = { playbook_id: "shop", step_key: "a", day: "2020-01-01", counter: "runs", count: 1, last_at: new Date("2020-01-01") };
    await addStepCounts(store, [old]);
    const { fence } = await claimedRun(opened());
    await opened().writer.transition(fence, "completed", { ...OUTCOME, settled: true });
    const remove: Volume["remove"] = async () => {
      throw new Error("The disk is away");
    };
    await using _retention = startRetention({
      store,
      volume: { remove, healthy: async () => false } as Partial<Volume> as Volume,
      retentionDays: -1,
      log: quiet,
    });
    await eventually(() => readStepTotals(store, "shop")).toEqual([]);
    expect(await readStatus(store, fence.run_id)).not.toBeNull();
    await deleteRun(store, fence.run_id);
  });

  it("begins when it comes on duty, not before", async () => {
    const { store } = opened();
    const [runId = ""] = await settledRuns(1);
    const looks = Promise.withResolvers<void>();
    let [onDuty, looked] = [false, 0];
    const isOnDuty = () => {
      looked += 1;
      if (looked === 3) looks.resolve();
      return onDuty;
    };
    const volume = { remove: async () => true } as Partial<Volume> as Volume;
    await using _retention = startRetention({ store, volume, retentionDays: -1, isOnDuty, lookMs: 1, log: quiet });
    await looks.promise;
    expect(await readStatus(store, runId)).toBe("completed");
    onDuty = true;
    await eventually(() => readStatus(store, runId)).toBeNull();
  });

  it("goes on with the other runs when another node has just swept one", async () => {
    const { store } = opened();
    const runs = await settledRuns(3);
    const others = runs.slice(0, 2);
    const remove: Volume["remove"] = async (runId) => {
      if (others.includes(runId)) await deleteRun(store, runId); // the other node is between our two steps
      return true;
    };
    const tomorrow = new Date(Date.now() + 2 * 86_400_000);
    const sweep = () => sweepOldRuns({ store, volume: { remove } as Volume, retentionDays: 1, log: quiet }, tomorrow);
    expect(await sweep()).toBe(1);
    expect(await Promise.all(runs.map((runId) => readStatus(store, runId)))).toEqual([null, null, null]);
  });

  it("goes on with the other runs when the artifacts of some cannot be removed", async () => {
    const { store } = opened();
    const runs = await settledRuns(3);
    const [fine = "", ...stuck] = runs.toReversed(); // the oldest come first
    const remove: Volume["remove"] = async (runId) => {
      if (stuck.includes(runId)) throw new Error("Not ours");
      return true;
    };
    const volume = { remove, healthy: async () => true } as Partial<Volume> as Volume;
    const tomorrow = new Date(Date.now() + 2 * 86_400_000);
    expect(await sweepOldRuns({ store, volume, retentionDays: 1, log: quiet }, tomorrow)).toBe(1);
    expect(await readStatus(store, fine)).toBeNull();
    expect(await readStatus(store, stuck[0] ?? "")).toBe("completed");
    const away = { ...volume, healthy: async () => false };
    await expect(sweepOldRuns({ store, volume: away, retentionDays: 1, log: quiet }, tomorrow)).rejects.toThrow("Not ours");
  });
});
