import { expect, it } from "vitest";
import { sweepOldRuns } from "../../pool/retention.ts";
import { deleteRun, readStatus } from "../../pool/store/runs.ts";
import type { Volume } from "../../pool/volume/volume.ts";
import { OUTCOME, quiet } from "../support/run-fixtures.ts";
import { claimedRun, eachStore } from "../support/store.ts";

eachStore("retention", (opened) => {
  it("goes on with the other runs when another node has just swept one", async () => {
    const { store, writer } = opened();
    const runs: string[] = [];
    for (let i = 0; i < 3; i++) {
      const { fence } = await claimedRun(opened());
      await writer.transition(fence, "completed", { ...OUTCOME, settled: true });
      runs.push(fence.run_id);
    }
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
});
