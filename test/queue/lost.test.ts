import { expect, it } from "vitest";
import { claimNext, createRun } from "../../pool/queue/dispatch.ts";
import { endRunsOfEarlierBoots, watchPeers } from "../../pool/queue/lost.ts";
import { stopRun } from "../../pool/queue/stop.ts";
import { readEvents } from "../../pool/store/events.ts";
import type { Owner } from "../../pool/store/fence.ts";
import { readLocation } from "../../pool/store/location.ts";
import { joinNodes } from "../../pool/store/nodes.ts";
import { readRow, updateAftermath } from "../../pool/store/runs.ts";
import { readRun } from "../../pool/store/to-run.ts";
import type { NodeInfo } from "../../shared/node.ts";
import { PlaybookSchema } from "../../shared/playbook.ts";
import { claimant, newRun, OUTCOME, OWNER, quiet } from "../support/run-fixtures.ts";
import { claimedRun, eachStore, eventually, type TestStore } from "../support/store.ts";

const REBOOTED: Owner = { ...OWNER, boot_id: "boot-2" };
const PEER: Owner = { node_id: "node-b", boot_id: "boot-b", node_url: "http://127.0.0.1:7071" };
const hint = {
  type: "guardrail",
  at: new Date().toISOString(),
  rule: "r",
  kind: "hint",
  reason: "x",
  action_seq: null,
  host: null,
} as const;

eachStore("a node that starts again", (opened, kind) => {
  it("ends what its earlier boot had in hand as NODE_LOST, and runs what was queued", async () => {
    const { store, queue, deps, writer } = opened();
    const lost = await claimedRun(opened());
    await writer.transition(lost.fence, "running");
    await writer.append(lost.fence, hint);
    const waiting = newRun();
    await createRun(deps, waiting, { claimFor: null, idempotency: null });

    expect(await endRunsOfEarlierBoots({ store, queue, owner: REBOOTED, log: quiet })).toEqual([lost.fence.run_id]);
    expect(await readRun(store, lost.fence.run_id)).toMatchObject({
      status: "failed",
      node_id: OWNER.node_id,
      error: { code: "NODE_LOST", details: { node_id: OWNER.node_id } },
      recording: { state: "finalizing" },
    });
    const events = await readEvents(store, lost.fence.run_id, 0, 100);
    expect(events.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(events.at(-1)?.event).toMatchObject({ type: "complete", status: "failed" });
    expect((await claimNext(deps, claimant(REBOOTED)))?.run.run_id).toBe(waiting.run_id);
  });

  it("gives a run that was posted with retries its next attempts, each under a fence and with a folder of its own, and then no more", async () => {
    const { store, queue, deps, writer } = opened();
    const run = newRun({ retries: 1 });
    const first = await claimedRun(opened(), run);
    await writer.transition(first.fence, "running");
    await updateAftermath(store, run.run_id, { settled: true }); // as an end that waits in the outbox of a node that is gone
    const boot = (owner: Owner) => endRunsOfEarlierBoots({ store, queue, owner, log: quiet });
    expect(await boot(REBOOTED)).toEqual([]);
    const error = { code: "NODE_LOST", details: { node_id: OWNER.node_id } };
    expect(await readRun(store, run.run_id)).toMatchObject({
      ...{ status: "queued", attempt: 2, retries: 1, queue_position: 1, node_id: null, recording: { state: "recording" } },
      earlier_attempts: [{ attempt: 1, node_id: OWNER.node_id, error }],
    });
    expect(await readLocation(store, run.run_id)).toMatchObject({ state: "queued", node_id: null });
    expect((await readEvents(store, run.run_id, 3, 100)).map(({ id, event }) => ({ id, ...event }))).toMatchObject([
      { id: 4, status: "queued", previous: "running", node_id: null, attempt: 2, error },
    ]);
    await expect(writer.append(first.fence, hint)).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await queue.settle(store, first.fence)).toBe(false);

    const second = await claimNext(deps, claimant(REBOOTED));
    expect(second).toMatchObject({ fence: { run_id: run.run_id, attempt: 2 }, run: { attempt: 2, started_at: null, settled_at: null } });
    expect(await boot({ ...OWNER, boot_id: "boot-3" })).toEqual([run.run_id]);
    const { run: ended, events } = { run: await readRun(store, run.run_id), events: await readEvents(store, run.run_id, 0, 100) };
    expect(ended).toMatchObject({ status: "failed", attempt: 2, error: { code: "NODE_LOST" } });
    expect(events.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await claimNext(deps, claimant(REBOOTED))).toBeNull();
  });

  it("gives no further attempt to a run that is to stop, or that has begun what may happen only once", async () => {
    const { store, queue, deps, writer } = opened();
    const steps = [
      { action: "goto", params: { url: "http://a.example" } },
      { action: "click", selector: "#pay", once: true },
      { action: "extract", selector: "h1" },
    ];
    const playbook = PlaybookSchema.parse({ id: "p", name: "p", description: "p", steps });
    const step = { type: "step", at: hint.at, action: "click", description: "", state: "started", attempt: 1, error: null } as const;
    const spent = { model: "m", input_tokens: 5, output_tokens: 2, cost_usd: 0.5 };
    const [stopped, begun, before] = [newRun({ retries: 3 }), newRun({ retries: 3 }, { playbook }), newRun({ retries: 3 }, { playbook })];
    for (const run of [stopped, begun, before]) {
      const { fence } = await claimedRun(opened(), run);
      if (run === stopped) await stopRun({ store, queue }, run.run_id);
      else await writer.append(fence, { ...step, index: run === begun ? 1 : 0 });
      await writer.append(fence, { type: "usage", at: hint.at, ...spent, total: spent });
    }
    await endRunsOfEarlierBoots({ store, queue, owner: REBOOTED, log: quiet });
    const became = await Promise.all([stopped, begun, before].map(async ({ run_id }) => (await readRow(store, run_id))?.status));
    expect(became).toEqual(["failed", "failed", "queued"]);
    const usages = await Promise.all([stopped, begun, before].map(async ({ run_id }) => (await readRun(store, run_id))?.usage));
    expect([...usages, (await readRow(store, begun.run_id))?.outcome?.usage]).toEqual([spent, spent, spent, spent]); // nothing of it is lost
    expect((await claimNext(deps, claimant(REBOOTED)))?.run.run_id).toBe(before.run_id);
    await endRunsOfEarlierBoots({ store, queue, owner: { ...REBOOTED, boot_id: "boot-3" }, log: quiet });
    expect(await stopRun({ store, queue }, before.run_id)).toEqual({ status: "terminated", endedNow: true }); // it waited for its third attempt
    expect((await readRow(store, before.run_id))?.outcome?.usage).toEqual(spent);
  });

  it("is told of ended runs whose artifacts were on their way, until they are settled", async () => {
    const { store, queue, writer } = opened();
    const { fence } = await claimedRun(opened());
    await writer.transition(fence, "terminated", OUTCOME);
    const boot = () => endRunsOfEarlierBoots({ store, queue, owner: REBOOTED, log: quiet });
    expect(await boot()).toEqual([fence.run_id]);
    expect((await readRow(store, fence.run_id))?.status).toBe("terminated");
    expect(await readLocation(store, fence.run_id)).toMatchObject({ state: "live" });
    await updateAftermath(store, fence.run_id, { settled: true, recording_state: "partial" });
    expect(await boot()).toEqual([]);
    expect(await readLocation(store, fence.run_id)).toMatchObject({ state: "stored" });
  });

  it("leaves the runs of this boot alone, and on a server those of other nodes", async () => {
    const { store, queue } = opened();
    const mine = await claimedRun(opened(), newRun(), REBOOTED);
    const theirs = await claimedRun(opened(), newRun(), PEER);
    const ended = await endRunsOfEarlierBoots({ store, queue, owner: REBOOTED, log: quiet });
    expect(ended).toEqual(kind === "embedded" ? [theirs.fence.run_id] : []); // an embedded store has had one node only
    expect((await readRow(store, mine.fence.run_id))?.status).toBe("starting");
  });

  it("refuses what the earlier boot still writes", async () => {
    const { store, queue, writer } = opened();
    const { fence } = await claimedRun(opened());
    await writer.append(fence, hint);
    await endRunsOfEarlierBoots({ store, queue, owner: REBOOTED, log: quiet });
    await expect(writer.append(fence, hint)).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(writer.transition(fence, "completed", OUTCOME)).rejects.toMatchObject({ code: "CONFLICT" });
    expect((await readRow(store, fence.run_id))?.outcome?.error?.code).toBe("NODE_LOST");
  });
});

/** On a server: an embedded store has one node, and nobody to watch. */
function watching(opened: () => TestStore): void {
  const info = (owner: Owner): NodeInfo => ({
    node_id: owner.node_id,
    boot_id: owner.boot_id,
    url: owner.node_url,
    state: "ready",
    slots: { total: 2, busy: 1 },
    queued: 0,
    browsers: { warm: 0, busy: 0 },
    load: 0,
    tier: "sandbox",
    version: "0",
    started_at: "2026-01-01T00:00:00.000Z",
  });
  const join = (owner: Owner, beatMs: number) =>
    joinNodes({ store: opened().store, info: () => info(owner), onFenced: () => {}, log: quiet, beatMs });
  const watch = (owner: Owner) => watchPeers({ ...opened(), owner, log: quiet, everyMs: 20, lostAfterMs: 200 });
  const status = async (runId: string) => (await readRow(opened().store, runId))?.status;

  it("end the runs of one that went silent, and settle what it had not stored", async () => {
    const { store, writer } = opened();
    await using _silent = await join(PEER, 3_600_000);
    const open = await claimedRun(opened(), newRun(), PEER);
    const ended = await claimedRun(opened(), newRun(), PEER);
    const bare = await claimedRun(opened(), newRun({ recording: { enabled: false } }), PEER);
    const stored = await claimedRun(opened(), newRun(), PEER); // its artifacts are committed, its end waited in an outbox
    await updateAftermath(store, stored.fence.run_id, { settled: true, recording_state: "ready" });
    await writer.transition(ended.fence, "terminated", OUTCOME);
    await using _one = watch(OWNER);
    await using _two = watch({ ...OWNER, node_id: "node-c", boot_id: "boot-c" });
    for (const { fence } of [open, ended, bare, stored]) {
      await eventually(() => readLocation(store, fence.run_id)).toMatchObject({ state: "stored" });
    }
    expect(await readRun(store, open.fence.run_id)).toMatchObject({ error: { code: "NODE_LOST" }, recording: { state: "lost" } });
    expect(await readRun(store, ended.fence.run_id)).toMatchObject({ status: "terminated", recording: { state: "lost" } });
    expect(await readRun(store, bare.fence.run_id)).toMatchObject({ status: "failed", recording: { state: "off" } });
    expect(await readRun(store, stored.fence.run_id)).toMatchObject({ status: "failed", recording: { state: "ready" } });
    expect((await readEvents(store, open.fence.run_id, 0, 10)).filter(({ event }) => event.type === "complete")).toHaveLength(1);
    await expect(writer.append(open.fence, hint)).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it("leave the recording alone of a run that its node has stored while they looked", async () => {
    const { store, writer } = opened();
    await using _silent = await join(PEER, 3_600_000);
    const { fence } = await claimedRun(opened(), newRun(), PEER);
    await writer.transition(fence, "completed", OUTCOME);
    let isSeen = false;
    const query = async <Row>(...asked: Parameters<typeof store.query>) => {
      const rows = await store.query<Row>(...asked);
      if (!isSeen && asked[0].includes("AND node_id = $1"))
        await updateAftermath(store, fence.run_id, { settled: true, recording_state: "ready" });
      else if (asked[0].includes("UPDATE")) isSeen = true;
      return rows;
    };
    await using _watching = watchPeers({
      ...opened(),
      store: { ...store, query },
      owner: OWNER,
      log: quiet,
      everyMs: 20,
      lostAfterMs: 200,
    });
    await eventually(() => isSeen).toBe(true);
    expect(await readRun(store, fence.run_id)).toMatchObject({ status: "completed", recording: { state: "ready" } });
  });

  it("leave the runs of one that goes on beating alone, and watch their own not at all", async () => {
    let looks = 0;
    const { store } = opened();
    await using _peer = await join(PEER, 10);
    const theirs = await claimedRun(opened(), newRun(), PEER);
    const mine = await claimedRun(opened(), newRun(), OWNER);
    const counting = { ...store, query: (...args: Parameters<typeof store.query>) => store.query<never>(...args).finally(() => looks++) };
    await using _watching = watchPeers({ ...opened(), store: counting, owner: OWNER, log: quiet, everyMs: 20, lostAfterMs: 200 });
    await eventually(() => looks).toBeGreaterThan(25); // more than twice the time after which it would be lost
    expect([await status(theirs.fence.run_id), await status(mine.fence.run_id)]).toEqual(["starting", "starting"]);
  });

  it("count from the moment they came on duty: what they saw before is too old to judge by", async () => {
    const { store } = opened();
    await using _silent = await join(PEER, 3_600_000);
    const { fence } = await claimedRun(opened(), newRun(), PEER);
    let asked = 0;
    let looks = 0;
    const counting = { ...store, query: (...args: Parameters<typeof store.query>) => store.query<never>(...args).finally(() => looks++) };
    const isOnDuty = () => ++asked < 4 || asked > 64; // at first, then not for longer than makes a node lost
    await using _watching = watchPeers({
      ...opened(),
      store: counting,
      owner: OWNER,
      log: quiet,
      everyMs: 20,
      lostAfterMs: 1_000,
      isOnDuty,
    });
    await eventually(() => asked).toBeGreaterThan(55);
    expect([looks, await status(fence.run_id)]).toEqual([3, "starting"]);
    await eventually(() => asked > 64 && looks > 5).toBe(true);
    expect(await status(fence.run_id)).toBe("starting");
    await eventually(() => status(fence.run_id)).toBe("failed");
  });
}
eachStore("nodes that watch each other", watching, ["server"]);
