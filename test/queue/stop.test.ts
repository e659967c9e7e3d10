import { expect, it } from "vitest";
import { claimNext, createRun } from "../../pool/queue/dispatch.ts";
import { endOverdueRuns, watchQueueClock } from "../../pool/queue/queue-clock.ts";
import { stopRun, watchStops } from "../../pool/queue/stop.ts";
import { readEvents } from "../../pool/store/events.ts";
import { readLocation } from "../../pool/store/location.ts";
import { readRow, updateAftermath } from "../../pool/store/runs.ts";
import { readRun } from "../../pool/store/to-run.ts";
import { newRunId } from "../../shared/ids.ts";
import { CLOCK_LIMITS, claimant, newRun, OUTCOME, OWNER, quiet } from "../support/run-fixtures.ts";
import { claimedRun, eachStore, eventually, type TestStore } from "../support/store.ts";

const queued = async ({ deps }: TestStore, limits = CLOCK_LIMITS) => {
  const run = newRun({}, { sealed_credentials: Uint8Array.of(1) });
  await createRun({ ...deps, clockLimits: limits }, run, { claimFor: null, idempotency: null });
  return run.run_id;
};

eachStore("stopping a run", (opened) => {
  it("ends a queued one at once: terminated, with its events, out of the queue, and nothing to wait for", async () => {
    const { store, queue, deps } = opened();
    const runId = await queued(opened());
    expect(await stopRun({ store, queue }, runId)).toEqual({ status: "terminated", endedNow: true });
    expect(await readRun(store, runId)).toMatchObject({
      status: "terminated",
      error: { code: "RUN_TERMINATED" },
      recording: { state: "off" },
      node_id: null,
      step_results: [],
    });
    expect((await readEvents(store, runId, 1, 10)).map(({ id, event }) => [id, event.type])).toEqual([
      [2, "status"],
      [3, "complete"],
    ]);
    expect(await readLocation(store, runId)).toMatchObject({ state: "stored" });
    expect((await readRow(store, runId))?.sealed_credentials).toBeNull();
    expect(await claimNext(deps, claimant())).toBeNull();
  });

  it("marks a claimed one and tells its owner, now or at its next look", async () => {
    const { store, queue } = opened();
    const { fence } = await claimedRun(opened());
    const stopped: string[] = [];
    const { promise: told, resolve } = Promise.withResolvers<void>();
    const onStop = (runId: string) => {
      stopped.push(runId);
      resolve();
    };
    {
      await using _watching = await watchStops({ store, owner: OWNER, onStop, log: quiet, floorMs: 60_000 });
      expect(await stopRun({ store, queue }, fence.run_id)).toEqual({ status: "starting", endedNow: false });
      await told;
    }
    stopped.length = 0;
    const gone: unknown[] = [];
    const inHand = () => [
      { run_id: fence.run_id, attempt: 1 },
      { run_id: fence.run_id, attempt: 2 },
    ]; // the second was lost, as far as the store knows
    await using _lost = await watchStops({
      store,
      owner: OWNER,
      onStop,
      inHand,
      onGone: (each) => gone.push(each),
      log: quiet,
      floorMs: 60_000,
    });
    await eventually(() => gone).toEqual([{ run_id: fence.run_id, attempt: 2 }]);
    await using _another = await watchStops({ store, owner: OWNER, onStop, log: quiet, floorMs: 5 }); // missed the notification
    await eventually(() => stopped).toContain(fence.run_id);
  });

  it("does not ask the owner about runs of another boot, or that are over", async () => {
    const { store, queue, writer } = opened();
    const { fence } = await claimedRun(opened());
    await stopRun({ store, queue }, fence.run_id);
    let looks = 0;
    const counting = { ...store, query: (...args: Parameters<typeof store.query>) => store.query<never>(...args).finally(() => looks++) };
    const onStop = () => expect.fail("not ours");
    await using _other = await watchStops({ store: counting, owner: { ...OWNER, boot_id: "boot-2" }, onStop, log: quiet, floorMs: 5 });
    await eventually(() => looks).toBeGreaterThan(2);
    await writer.transition(fence, "terminated", OUTCOME);
    expect(await stopRun({ store, queue }, fence.run_id)).toEqual({ status: "terminated", endedNow: false });
  });

  it("reaches a run whose artifacts are committed already, and its end is not", async () => {
    const { store, queue } = opened();
    const { fence } = await claimedRun(opened());
    await updateAftermath(store, fence.run_id, { settled: true });
    await stopRun({ store, queue }, fence.run_id);
    const { promise: told, resolve: onStop } = Promise.withResolvers<string>();
    await using _watching = await watchStops({ store, owner: OWNER, onStop, log: quiet });
    expect(await told).toBe(fence.run_id);
  });

  it("leaves a run that is over as it is, and knows no strangers", async () => {
    const { store, queue, writer } = opened();
    const { fence } = await claimedRun(opened());
    await writer.transition(fence, "running");
    await writer.transition(fence, "completed", OUTCOME);
    expect(await stopRun({ store, queue }, fence.run_id)).toEqual({ status: "completed", endedNow: false });
    await expect(stopRun({ store, queue }, newRunId())).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(stopRun({ store, queue }, fence.run_id, "stranger")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("and claiming it at the same moment leave it stopped or claimed, never both, and nobody waits for the other", async () => {
    const { store, queue, deps } = opened();
    for (let round = 0; round < 15; round++) {
      const runId = await queued(opened());
      const [stop, claim] = await Promise.all([stopRun({ store, queue }, runId), claimNext(deps, claimant())]);
      const row = await readRow(store, runId);
      if (stop.status === "terminated") expect([claim, row?.status]).toEqual([null, "terminated"]);
      else expect([claim?.run.run_id, row?.status, stop.status]).toEqual([runId, "starting", "starting"]);
      const ids = (await readEvents(store, runId, 0, 10)).map(({ id }) => id);
      expect(ids).toEqual(ids.map((_, i) => i + 1));
      await store.query("TRUNCATE understudy.runs, understudy.events; DELETE FROM understudy_queue.job_common");
    }
  });
});

eachStore("the queue clock", (opened) => {
  it("ends runs that wait longer than their limit, and no others", async () => {
    const { store, queue } = opened();
    const short = await queued(opened(), { ...CLOCK_LIMITS, queue: 5 });
    const long = await queued(opened());
    const { fence } = await claimedRun(opened(), newRun()).catch(() => ({ fence: null }));
    expect(fence).toBeNull(); // the head was claimed: `short`
    const overdue = await queued(opened(), { ...CLOCK_LIMITS, queue: 5 });
    expect(await endOverdueRuns({ store, queue })).toEqual([]);
    expect(await endOverdueRuns({ store, queue }, new Date(Date.now() + 6_000))).toEqual([overdue]);
    expect(await readRun(store, overdue)).toMatchObject({
      status: "timeout",
      error: { code: "TIMEOUT", details: { clock: "queue", limit_s: 5 } },
    });
    expect((await readRow(store, short))?.status).toBe("starting");
    expect((await readRow(store, long))?.status).toBe("queued");
  });

  it("ticks by itself, also where nothing is run, and on several nodes at once", async () => {
    const { store, queue } = opened();
    const runs = await Promise.all(Array.from({ length: 60 }, () => queued(opened(), { ...CLOCK_LIMITS, queue: 0.05 })));
    await using _one = watchQueueClock({ store, queue, log: quiet, everyMs: 10 });
    await using _two = watchQueueClock({ store, queue, log: quiet, everyMs: 10 });
    const ended = () => store.query("SELECT 1 FROM understudy.runs WHERE status = 'timeout'", []);
    await eventually(ended).toHaveLength(60);
    for (const runId of runs) expect(await readEvents(store, runId, 0, 10)).toHaveLength(3);
  });

  it("is looked at by nodes on duty alone, and by the next once it comes on", async () => {
    const { store, queue } = opened();
    const runId = await queued(opened(), { ...CLOCK_LIMITS, queue: 0 });
    let asked = 0;
    let onDuty = false;
    const isOnDuty = () => ++asked > 0 && onDuty;
    await using _clock = watchQueueClock({ store, queue, log: quiet, everyMs: 5, isOnDuty });
    await eventually(() => asked).toBeGreaterThan(3);
    expect((await readRow(store, runId))?.status).toBe("queued");
    onDuty = true;
    await eventually(async () => (await readRow(store, runId))?.status).toBe("timeout");
  });
});
