import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Outbox, type OutboxEntry } from "../../pool/session/outbox.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import { newRunId } from "../../shared/ids.ts";

const log = createLog("silent");

describe("Outbox", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "us-outbox-"));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it("keeps an entry on disk until it was delivered, by whichever process", async () => {
    const run_id = newRunId();
    const refusing = await Outbox.open(
      dir,
      async () => {
        throw new Error("the store is away");
      },
      log,
    );
    await refusing.add({ kind: "publish", run_id, payload: { status: "completed" } });
    expect(await refusing.deliverAll()).toHaveLength(1);

    const delivered: OutboxEntry[] = [];
    const next = await Outbox.open(dir, async (entry) => void delivered.push(entry), log);
    expect(await next.deliverAll()).toEqual([]);
    expect(delivered).toEqual([{ kind: "publish", run_id, payload: { status: "completed" } }]);
    expect(await readdir(dir)).toEqual([]);
  });

  it("delivers a run's status before its artifacts, and holds those back while the status waits", async () => {
    const [a, b] = [newRunId(), newRunId()];
    const tried: string[] = [];
    const outbox = await Outbox.open(
      dir,
      async ({ kind, run_id }) => {
        tried.push(`${run_id} ${kind}`);
        if (run_id === a) throw new Error("not yet");
      },
      log,
    );
    for (const run_id of [a, b]) {
      await outbox.add({ kind: "persist", run_id, payload: null });
      await outbox.add({ kind: "publish", run_id, payload: null });
    }
    expect(await outbox.deliverAll()).toHaveLength(2);
    expect(tried.filter((each) => each.startsWith(a))).toEqual([`${a} publish`]);
    expect(tried.filter((each) => each.startsWith(b))).toEqual([`${b} publish`, `${b} persist`]);
  });

  it("is empty once all was delivered, what an earlier process left too", async () => {
    const run_id = newRunId();
    const earlier = await Outbox.open(dir, async () => {}, log);
    expect(earlier.isEmpty).toBe(true);
    await earlier.add({ kind: "persist", run_id, payload: null });
    let away = true;
    const outbox = await Outbox.open(
      dir,
      async () => {
        if (away) throw new Error("the volume is away");
      },
      log,
    );
    await outbox.deliverAll();
    expect([earlier.isEmpty, outbox.isEmpty]).toEqual([false, false]);
    const emptied = outbox.emptied();
    away = false;
    await outbox.deliverAll();
    await emptied;
    expect(outbox.isEmpty).toBe(true);
  });

  it("delivers in the background what is added while it sleeps", async () => {
    const done = Promise.withResolvers<OutboxEntry>();
    await using outbox = await Outbox.open(dir, async (entry) => done.resolve(entry), log);
    outbox.start();
    await outbox.add({ kind: "persist", run_id: newRunId(), payload: 1 });
    expect((await done.promise).payload).toBe(1);
  });

  it("delivers nothing of a run whose files this process still writes", async () => {
    const [run_id, writing] = [newRunId(), Promise.withResolvers<void>()];
    const done = Promise.withResolvers<void>();
    let isWritten = false;
    await using outbox = await Outbox.open(dir, async () => (isWritten ? done.resolve() : done.reject(new Error("too early"))), log);
    outbox.hold(run_id, writing.promise);
    await outbox.add({ kind: "persist", run_id, payload: 1 });
    expect(await outbox.deliverAll()).toHaveLength(1);
    isWritten = true;
    outbox.start();
    writing.resolve();
    await done.promise;
  });

  it("leaves nothing half written: not of a disk that was full, nor of a process that was killed", async () => {
    const run_id = newRunId();
    await writeFile(join(dir, `${newRunId()}.persist.json.part`), '{"kind":"per');
    const outbox = await Outbox.open(dir, async () => {}, log);
    expect(await readdir(dir)).toEqual([]);

    const inItsPlace = `${run_id}.publish.json`;
    await mkdir(join(dir, inItsPlace, "taken"), { recursive: true }); // what was written cannot be put there
    await expect(outbox.add({ kind: "publish", run_id, payload: null })).rejects.toThrow();
    expect(await readdir(dir)).toEqual([inItsPlace]);
  });

  it("delivers from memory what the disk does not take", async () => {
    const run_id = newRunId();
    const delivered: OutboxEntry[] = [];
    const outbox = await Outbox.open(dir, async (entry) => void delivered.push(entry), log);
    await mkdir(join(dir, `${run_id}.publish.json.part`)); // a file of this name cannot be written
    await expect(outbox.add({ kind: "publish", run_id, payload: 1 })).rejects.toThrow();
    expect(await outbox.deliverAll()).toEqual([]);
    expect(delivered).toEqual([{ kind: "publish", run_id, payload: 1 }]);
    expect(await outbox.deliverAll()).toEqual([]);
    expect(delivered).toHaveLength(1);
  });

  it("tells statuses, and closes, while a bucket takes artifacts and says nothing", async () => {
    const [silent, told] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
    const deliver = async ({ kind, run_id }: OutboxEntry) => {
      if (kind === "publish") return told.resolve(run_id);
      silent.resolve();
      await new Promise(() => {});
    };
    const outbox = await Outbox.open(dir, deliver, log);
    outbox.start();
    await outbox.add({ kind: "persist", run_id: newRunId(), payload: null });
    await silent.promise;
    const run_id = newRunId();
    await outbox.add({ kind: "publish", run_id, payload: null });
    expect(await told.promise).toBe(run_id);
    await outbox.delivered(run_id, "publish");
    await outbox[Symbol.asyncDispose]();

    const next = await Outbox.open(dir, deliver, log); // whose start waits for statuses alone
    expect(await next.deliverAll(["publish"])).toEqual([]);
    expect((await next.runs()).size).toBe(1);
  });

  it("tries again at once, however long it was to wait, when something is added or the store is back", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      let isAway = true;
      const [a, b] = [newRunId(), newRunId()];
      const tried = { [a]: Promise.withResolvers<void>(), [b]: Promise.withResolvers<void>() };
      const deliver = async ({ run_id }: OutboxEntry) => {
        tried[run_id]?.resolve();
        if (isAway) throw new Error("away");
      };
      await using outbox = await Outbox.open(dir, deliver, log);
      outbox.start();
      await outbox.add({ kind: "publish", run_id: a, payload: null });
      await tried[a]?.promise;
      await outbox.add({ kind: "publish", run_id: b, payload: null });
      await tried[b]?.promise;
      isAway = false;
      outbox.wake();
      await Promise.all([outbox.delivered(a, "publish"), outbox.delivered(b, "publish")]);
      expect(await readdir(dir)).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("does not take an entry for delivered that was replaced meanwhile", async () => {
    const run_id = newRunId();
    const delivered: unknown[] = [];
    const outbox = await Outbox.open(
      dir,
      async ({ payload }) => {
        if (payload === "first") await outbox.add({ kind: "persist", run_id, payload: "second" });
        delivered.push(payload);
      },
      log,
    );
    await outbox.add({ kind: "persist", run_id, payload: "first" });
    const both = outbox.delivered(run_id, "persist");
    expect(await outbox.deliverAll()).toHaveLength(1);
    expect(await outbox.deliverAll()).toEqual([]);
    await both;
    expect(delivered).toEqual(["first", "second"]);
  });
});
