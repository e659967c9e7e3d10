import { expect, it } from "vitest";
import { claimNext, createRun } from "../../pool/queue/dispatch.ts";
import { tryAgainAs } from "../../pool/queue/next-attempt.ts";
import { stopRun } from "../../pool/queue/stop.ts";
import { RUNS_CHANNEL, watchRuns } from "../../pool/store/changes.ts";
import type { Fence } from "../../pool/store/fence.ts";
import { awaitLocation, readLocation } from "../../pool/store/location.ts";
import { listRuns } from "../../pool/store/run-list.ts";
import {
  assertDeletable,
  countQueued,
  deleteRun,
  queuePosition,
  readRow,
  readStatus,
  settledBefore,
  updateAftermath,
} from "../../pool/store/runs.ts";
import { readRun } from "../../pool/store/to-run.ts";
import { AppError, toErrorDetail } from "../../shared/errors.ts";
import { newRunId } from "../../shared/ids.ts";
import { formatKnown } from "../../shared/node.ts";
import { ListRunsSchema, type Run, RunPageSchema, RunSchema } from "../../shared/run.ts";
import { claimant, newRun, OUTCOME, OWNER } from "../support/run-fixtures.ts";
import { claimedRun, eachStore, eventually, type TestStore } from "../support/store.ts";

/** A run that waits. */
const queued = async ({ deps }: TestStore, run = newRun()) => {
  await createRun(deps, run, { claimFor: null, idempotency: null });
  return run;
};
const completed = async (opened: TestStore, run = newRun()) => {
  const { fence } = await claimedRun(opened, run);
  await opened.writer.transition(fence, "running");
  await opened.writer.transition(fence, "completed", OUTCOME);
  await updateAftermath(opened.store, run.run_id, { settled: true, recording_state: "ready" });
  return run;
};
const read = async ({ store }: TestStore, runId: string): Promise<Run> => RunSchema.parse(await readRun(store, runId));
const list = async ({ store }: TestStore, query: Record<string, unknown> = {}, key: string | null = null) =>
  RunPageSchema.parse(await listRuns(store, ListRunsSchema.parse(query), key));

eachStore("runs", (opened) => {
  it("are as the contract says in every state", async () => {
    const run = newRun({ labels: { team: "a" }, start_url: "http://a.test/" });
    const { fence } = await claimedRun(opened(), run);
    expect(await read(opened(), run.run_id)).toMatchObject({
      status: "starting",
      node_id: OWNER.node_id,
      attempt: 1,
      labels: { team: "a" },
    });
    await opened().writer.transition(fence, "running");
    expect(await read(opened(), run.run_id)).toMatchObject({ status: "running", recording: { state: "recording" } });
    const lists = { actions: [], step_results: [], extracted_texts: ["42"] };
    await opened().writer.transition(fence, "completed", { ...OUTCOME, outcome: { ...OUTCOME.outcome, data: { z: 1, a: 2 } }, lists });
    const done = await read(opened(), run.run_id);
    expect(done).toMatchObject({ status: "completed", result: "done", extracted_texts: ["42"], error: null });
    expect(JSON.stringify(done.data)).toBe('{"z":1,"a":2}'); // in the order it was written
    expect(done.clocks).toMatchObject({ queue: { limit_s: 600 }, start: { limit_s: 30 }, idle: { limit_s: 120 }, total: { limit_s: 600 } });

    const waiting = await queued(opened());
    expect(await read(opened(), waiting.run_id)).toMatchObject({ status: "queued", queue_position: 1, node_id: null });
  });

  it("have their error when they failed", async () => {
    const { fence } = await claimedRun(opened());
    const error = toErrorDetail(new AppError("SETUP_FAILED", "No browser", { details: { why: "none" } }));
    await opened().writer.transition(fence, "failed", { ...OUTCOME, outcome: { ...OUTCOME.outcome, result: null, error } });
    expect(await read(opened(), fence.run_id)).toMatchObject({ status: "failed", error, started_at: null, duration_ms: null });
  });

  it("tell what they did by their events, when nobody lived to write it down", async () => {
    const { fence } = await claimedRun(opened());
    const step = { type: "step", index: 0, action: "click", description: "Save", attempt: 1, error: null } as const;
    await opened().writer.append(fence, { ...step, at: new Date().toISOString(), state: "started" });
    await opened().writer.transition(fence, "failed", {
      outcome: { ...OUTCOME.outcome, error: toErrorDetail(new AppError("NODE_LOST", "x")) },
    });
    expect((await read(opened(), fence.run_id)).step_results).toMatchObject([{ index: 0, success: false }]);
  });

  it("lose their credentials the moment they end, and not before", async () => {
    const run = newRun({}, { sealed_credentials: Uint8Array.of(1, 2, 3) });
    const { fence, run: claimed } = await claimedRun(opened(), run);
    expect([...(claimed.sealed_credentials ?? [])]).toEqual([1, 2, 3]);
    await opened().writer.transition(fence, "running");
    expect((await readRow(opened().store, run.run_id))?.sealed_credentials).toHaveLength(3);
    await opened().writer.transition(fence, "terminated", OUTCOME);
    expect((await readRow(opened().store, run.run_id))?.sealed_credentials).toBeNull();
  });

  it("are there for their own key and for who may see all", async () => {
    const run = await queued(opened());
    expect(await readRun(opened().store, run.run_id, "tester")).not.toBeNull();
    expect(await readRun(opened().store, run.run_id, "stranger")).toBeNull();
    expect(await readRun(opened().store, newRunId())).toBeNull();
    const { store } = opened();
    expect([await readStatus(store, run.run_id, "tester"), await readStatus(store, run.run_id, "stranger")]).toEqual(["queued", null]);
    expect(await readLocation(store, run.run_id, "stranger")).toBeNull();
    await expect(deleteRun(opened().store, run.run_id, "stranger")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("know their place in the queue", async () => {
    const runs = [await queued(opened()), await queued(opened()), await queued(opened())];
    const places = await Promise.all(runs.map(({ run_id }) => queuePosition(opened().store, run_id)));
    expect(places.toSorted()).toEqual([1, 2, 3]);
    expect(await countQueued(opened().store)).toBe(3);
    const { runs: listed } = await list(opened());
    expect(listed.map(({ queue_position }) => queue_position).toSorted()).toEqual([1, 2, 3]);
  });

  it("may be deleted once they are over and stored, with their events", async () => {
    const { store, writer } = opened();
    const { fence } = await claimedRun(opened());
    await expect(deleteRun(store, fence.run_id)).rejects.toMatchObject({ code: "CONFLICT", details: { status: "starting" } });
    await expect(assertDeletable(store, fence.run_id)).rejects.toMatchObject({ code: "CONFLICT", details: { status: "starting" } });
    await expect(assertDeletable(store, fence.run_id, "stranger")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await writer.transition(fence, "terminated", OUTCOME);
    await expect(deleteRun(store, fence.run_id)).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("being stored"),
    });
    await updateAftermath(store, fence.run_id, { settled: true });
    await assertDeletable(store, fence.run_id, "tester");
    expect(await readStatus(store, fence.run_id)).toBe("terminated"); // asked, not deleted
    await deleteRun(store, fence.run_id);
    expect(await store.query("SELECT 1 FROM understudy.events WHERE run_id = $1", [fence.run_id])).toEqual([]);
    await expect(deleteRun(store, fence.run_id, "tester")).rejects.toMatchObject({ code: "NOT_FOUND", details: { reason: "deleted" } });
    await expect(deleteRun(store, fence.run_id, "stranger")).rejects.toMatchObject({ code: "NOT_FOUND", details: null });
  });

  it("take warnings and a recording state after their end, and nothing else", async () => {
    const run = await completed(opened());
    const warning = { phase: "persist", error: toErrorDetail(new AppError("INTERNAL", "disk full")) };
    await updateAftermath(opened().store, run.run_id, { warnings: [warning] });
    await updateAftermath(opened().store, run.run_id, { warnings: [warning], recording_state: "partial" });
    expect(await read(opened(), run.run_id)).toMatchObject({
      status: "completed",
      warnings: [warning, warning],
      recording: { state: "partial" },
    });
  });

  it("are found by their age once they are settled", async () => {
    const run = await completed(opened());
    const open = await claimedRun(opened());
    await opened().writer.transition(open.fence, "terminated", OUTCOME);
    expect(await settledBefore(opened().store, new Date(Date.now() + 1000), 10)).toEqual([run.run_id]);
    expect(await settledBefore(opened().store, new Date(0), 10)).toEqual([]);
  });
});

eachStore("the list of runs", (opened) => {
  it("goes from new to old over as many pages as there are, each run once", async () => {
    const posted: string[] = [];
    for (let i = 0; i < 7; i++) posted.push((await queued(opened())).run_id);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await list(opened(), { limit: "3", ...(cursor && { cursor }) });
      seen.push(...page.runs.map(({ run_id }) => run_id));
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
    expect(seen.toSorted()).toEqual(posted.toSorted());
    const created = (await list(opened())).runs.map(({ created_at }) => created_at);
    expect(created).toEqual(created.toSorted().reverse());
    expect((await list(opened(), { limit: "7" })).next_cursor).toBeNull();
  });

  it("filters by status, label and key", async () => {
    const blue = await completed(opened(), newRun({ labels: { color: "blue" } }, { api_key_name: "other" }));
    const red = await queued(opened(), newRun({ labels: { color: "red", "odd%_": "a=b" } }));
    const ids = async (query: Record<string, unknown>, key: string | null = null) =>
      (await list(opened(), query, key)).runs.map(({ run_id }) => run_id);
    expect(await ids({ status: "queued" })).toEqual([red.run_id]);
    expect(await ids({ label: "color=blue" })).toEqual([blue.run_id]);
    expect(await ids({ label: "color" })).toEqual([red.run_id, blue.run_id]);
    expect(await ids({ label: "odd%_=a=b" })).toEqual([red.run_id]);
    expect(await ids({ label: "odd" })).toEqual([]);
    expect(await ids({ label: "a\0b=\0" })).toEqual([]); // Postgres would refuse it
    expect(await ids({}, "other")).toEqual([blue.run_id]);
    expect(await ids({}, "nobody")).toEqual([]);
  });

  it("leaves the lists of a run out", async () => {
    await completed(opened());
    expect((await list(opened())).runs[0]).not.toHaveProperty("actions");
  });

  it.each(["x", "💥", "MTIz", btoa("1.not-a-uuid"), btoa(`99999999999999999.${newRunId()}`), btoa(`1.${newRunId()}'--`)])(
    "refuses %j as a cursor",
    async (cursor) => {
      await expect(list(opened(), { cursor })).rejects.toMatchObject({
        code: "VALIDATION_FAILED",
        details: { issues: [{ path: "cursor" }] },
      });
    },
  );
});

eachStore("the location of a run", (opened) => {
  it("is queued, then live at its owner until its artifacts are stored", async () => {
    const { store, writer } = opened();
    const at = (runId: string) => readLocation(store, runId);
    const waiting = await queued(opened());
    expect(await at(waiting.run_id)).toEqual({ run_id: waiting.run_id, state: "queued", node_id: null, node_url: null });
    await store.query("TRUNCATE understudy.runs, understudy.events; DELETE FROM understudy_queue.job_common");

    const { fence } = await claimedRun(opened());
    const live = { run_id: fence.run_id, state: "live", node_id: OWNER.node_id, node_url: OWNER.node_url };
    expect(await at(fence.run_id)).toEqual(live);
    await writer.transition(fence, "terminated", OUTCOME);
    expect(await at(fence.run_id)).toEqual(live);
    await updateAftermath(store, fence.run_id, { settled: true });
    expect(await at(fence.run_id)).toEqual({ ...live, state: "stored" });
    expect(await at(newRunId())).toBeNull();
  });

  it("is told the moment it differs from what the caller knows", async () => {
    const { store, deps } = opened();
    await using changes = await watchRuns(store, 3_600_000); // by notification alone
    const run = await queued(opened());
    const answer = awaitLocation({ sql: store, changes, signal: new AbortController().signal }, run.run_id, "queued:", 20);
    await claimNext(deps, claimant());
    expect(await answer).toMatchObject({ state: "live", node_id: OWNER.node_id });
  });

  it("is looked for once a second where nothing is told: what a run leaves is stored", async () => {
    const { store, writer } = opened();
    await using changes = await watchRuns(store, 10);
    const { fence } = await claimedRun(opened());
    const known = formatKnown((await readLocation(store, fence.run_id)) as NonNullable<Awaited<ReturnType<typeof readLocation>>>);
    const answer = awaitLocation({ sql: store, changes, signal: new AbortController().signal }, fence.run_id, known, 20);
    await writer.transition(fence, "terminated", OUTCOME);
    await updateAftermath(store, fence.run_id, { settled: true });
    expect(await answer).toMatchObject({ state: "stored" });
  });

  it("wakes the nodes of the pool for its turn, its return to the queue, and its end if it was asked to stop; for nothing else", async () => {
    const { store, deps, queue, writer } = opened();
    const told: string[] = [];
    await using _listening = await store.listen(RUNS_CHANNEL, (runId) => void told.push(runId));
    const plain = await completed(opened()); // born claimed
    const queuedRun = await queued(opened(), newRun({ retries: 1 }));
    const claim = await claimNext(deps, claimant());
    await tryAgainAs(opened(), claim?.fence as Fence, toErrorDetail(new AppError("NODE_LOST", "Gone")));
    const again = await claimNext(deps, claimant());
    await writer.transition(again?.fence as Fence, "running");
    await stopRun({ store, queue }, queuedRun.run_id);
    await writer.transition(again?.fence as Fence, "terminated", OUTCOME);
    await eventually(() => told).toEqual(Array.from({ length: 4 }, () => queuedRun.run_id)); // claimed, queued again, claimed, ended
    expect(told).not.toContain(plain.run_id);
  });

  it("is told as it is when nothing changes in time, or the caller leaves, or there is no such run", async () => {
    const { store } = opened();
    await using changes = await watchRuns(store);
    const run = await queued(opened());
    const options = { sql: store, changes, signal: new AbortController().signal };
    expect(await awaitLocation(options, run.run_id, "queued:", 0.05)).toMatchObject({ state: "queued" });
    expect(await awaitLocation(options, run.run_id, "live:elsewhere", 20)).toMatchObject({ state: "queued" });
    expect(await awaitLocation({ ...options, signal: AbortSignal.abort() }, run.run_id, "queued:", 20)).toMatchObject({ state: "queued" });
    expect(await awaitLocation(options, newRunId(), "queued:", 20)).toBeNull();
  });
});
