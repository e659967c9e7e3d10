import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { json, text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { deliverFromOutbox, recoverEarlierRuns } from "../pool/recovery.ts";
import type { CommitPlan } from "../pool/session/artifacts.ts";
import { deleteRun, updateAftermath } from "../pool/store/runs.ts";
import { readRun } from "../pool/store/to-run.ts";
import { openDirectoryVolume } from "../pool/volume/directory.ts";
import type { Volume } from "../pool/volume/volume.ts";
import { OUTCOME, OWNER, quiet } from "./support/run-fixtures.ts";
import { claimedRun, eachStore, type TestStore } from "./support/store.ts";

const DAY_MS = 86_400_000;
const noRetries = async () => null;

/** A node's folders, a run of its earlier boot with a screenshot in its folder, and the boot that finds them. */
async function earlierRun(opened: TestStore) {
  await using made = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "us-recovery-"));
  made.defer(() => rm(root, { recursive: true, force: true }));
  const volume = await openDirectoryVolume(join(root, "volume"));
  const workDir = join(root, "work");
  const { fence } = await claimedRun(opened);
  const dir = join(workDir, fence.run_id);
  await mkdir(join(dir, "screenshots"), { recursive: true });
  await writeFile(join(dir, "screenshots", "0001.jpg"), "picture");
  const { store, queue, writer } = opened;
  const ended: unknown[] = [];
  const onEnded = (...told: unknown[]) => void ended.push(told);
  const recover = (more: { volume?: Volume; waiting?: ReadonlySet<string> } = {}) =>
    recoverEarlierRuns({ store, queue, owner: { ...OWNER, boot_id: "boot-2" }, volume, workDir, onEnded, log: quiet, ...more });
  const deliver = deliverFromOutbox({ store, volume, writer, tryAgain: noRetries, onEnded, log: quiet });
  const isThere = () => stat(dir).then(Boolean, () => false);
  const kept = made.move();
  return { ...fence, fence, dir, volume, recover, deliver, isThere, ended, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const broken = (volume: Volume): Volume => ({
  ...volume,
  healthy: async () => true,
  manifest: async () => null,
  commit: async () => {
    throw new Error("The volume is full");
  },
});

eachStore("a node that starts again", (opened) => {
  it("stores what is staged of a run that its peers took for lost, and removes the folder", async () => {
    await using run = await earlierRun(opened());
    await opened().writer.transition(run.fence, "failed", { ...OUTCOME, recording_state: "lost", settled: true });
    await run.recover();
    expect(await run.volume.manifest(run.run_id)).toMatchObject({ state: "partial" });
    expect(await readRun(opened().store, run.run_id)).toMatchObject({ recording: { state: "partial" } });
    expect(await run.isThere()).toBe(false);
  });

  it("keeps the folder of a run whose artifacts wait in the outbox, and of any that may", async () => {
    await using run = await earlierRun(opened());
    await opened().writer.transition(run.fence, "completed", { ...OUTCOME, recording_state: "finalizing", settled: true });
    await run.recover({ waiting: new Set([run.run_id]) });
    await run.recover();
    expect(await run.volume.manifest(run.run_id)).toBeNull();
    expect(await run.isThere()).toBe(true);
    await run.recover({ waiting: new Set() });
    expect(await run.volume.manifest(run.run_id)).not.toBeNull();
    expect(await run.isThere()).toBe(false);
  });

  it("does not take a run for lost whose end waits in the outbox", async () => {
    await using run = await earlierRun(opened());
    await run.recover({ waiting: new Set([run.run_id]) });
    const fields = { ...OUTCOME, at: new Date().toISOString() };
    for (let i = 0; i < 2; i++)
      await run.deliver({ kind: "publish", run_id: run.run_id, payload: { fence: run.fence, status: "completed", fields } });
    expect(run.ended).toEqual([["completed", undefined]]); // counted once
    expect(await readRun(opened().store, run.run_id)).toMatchObject({ status: "completed", result: "done" });
    expect(await run.isThere()).toBe(true);
  });

  it("tries again at each start to store what it could not, and gives up after a week", async () => {
    await using run = await earlierRun(opened());
    const volume = broken(run.volume);
    await run.recover({ volume });
    expect(run.ended).toEqual([["failed", "NODE_LOST"]]);
    expect(await readRun(opened().store, run.run_id)).toMatchObject({ status: "failed", recording: { state: "lost" } });
    expect(await run.isThere()).toBe(true);
    await opened().store.query("UPDATE understudy.runs SET finished_at = $1", [new Date(Date.now() - 8 * DAY_MS)]);
    await run.recover({ volume });
    expect(run.ended).toHaveLength(1);
    expect(await run.isThere()).toBe(false);
  });

  it("does not wait for a volume that takes questions and says nothing", async () => {
    await using run = await earlierRun(opened());
    const silent = () => new Promise<never>(() => {});
    await run.recover({ volume: { ...run.volume, healthy: async () => false, manifest: silent, commit: silent } });
    expect(await readRun(opened().store, run.run_id)).toMatchObject({ status: "failed", recording: { state: "lost" } });
    expect(await run.isThere()).toBe(true);
    await run.recover();
    expect(await run.volume.manifest(run.run_id)).toMatchObject({ state: "partial" });
  });

  it("leaves the committed files alone of a run whose node was killed right after the commit", async () => {
    await using run = await earlierRun(opened());
    await opened().writer.transition(run.fence, "completed", OUTCOME);
    await writeFile(join(run.dir, "status.json"), "as committed");
    await run.volume.commit(run.run_id, run.dir, [{ name: "status.json", kind: "status" }], "ready");
    await run.recover();
    const artifact = await run.volume.open(run.run_id, "status.json");
    expect(await text(artifact?.body ?? Readable.from([]))).toBe("as committed");
    expect(await readRun(opened().store, run.run_id)).toMatchObject({ recording: { state: "ready" } });
    expect(await run.isThere()).toBe(false);
  });

  it("ends a run whose artifacts are committed and whose end is nowhere, and keeps their state", async () => {
    await using run = await earlierRun(opened());
    await run.volume.commit(run.run_id, run.dir, [{ name: "screenshots/0001.jpg", kind: "screenshot" }], "ready");
    await updateAftermath(opened().store, run.run_id, { recording_state: "ready", settled: true });
    await run.recover();
    expect(await readRun(opened().store, run.run_id)).toMatchObject({ status: "failed", recording: { state: "ready" } });
    expect(await run.isThere()).toBe(false);
  });
});

eachStore("the outbox", (opened) => {
  const planOf = (dir: string): CommitPlan => ({
    dir,
    attempt: 1,
    files: [{ name: "screenshots/0001.jpg", kind: "screenshot" }],
    state: "ready",
    restage: true,
  });

  it("commits artifacts with the status that was published meanwhile", async () => {
    await using run = await earlierRun(opened());
    await opened().writer.transition(run.fence, "completed", OUTCOME);
    await run.deliver({ kind: "persist", run_id: run.run_id, payload: planOf(run.dir) });
    const artifact = await run.volume.open(run.run_id, "status.json");
    expect(await json(artifact?.body ?? Readable.from([]))).toMatchObject({
      status: "completed",
      recording: { state: "ready" },
    });
    expect(await readRun(opened().store, run.run_id)).toMatchObject({ recording: { state: "ready" } });
    expect(await run.isThere()).toBe(false);
  });

  it("commits nothing of a run that was deleted meanwhile, and removes its folder", async () => {
    await using run = await earlierRun(opened());
    await opened().writer.transition(run.fence, "completed", { ...OUTCOME, settled: true });
    await deleteRun(opened().store, run.run_id);
    await run.deliver({ kind: "persist", run_id: run.run_id, payload: planOf(run.dir) });
    expect(await run.volume.manifest(run.run_id)).toBeNull();
    expect(await run.isThere()).toBe(false);
  });

  it("leaves nothing in the volume of a run that is deleted while its artifacts are committed", async () => {
    await using run = await earlierRun(opened());
    const { store, writer } = opened();
    await writer.transition(run.fence, "completed", { ...OUTCOME, settled: true });
    const volume: Volume = {
      ...run.volume,
      remove: (runId) => run.volume.remove(runId),
      commit: async (...committed) => {
        await deleteRun(store, run.run_id);
        return run.volume.commit(...committed);
      },
    };
    const deliver = deliverFromOutbox({ store, volume, writer, tryAgain: noRetries, log: quiet });
    await deliver({ kind: "persist", run_id: run.run_id, payload: planOf(run.dir) });
    expect(await run.volume.manifest(run.run_id)).toBeNull();
    expect(await run.isThere()).toBe(false);
  });
});
