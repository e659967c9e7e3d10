import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { createRun } from "../../pool/queue/dispatch.ts";
import { createSlots, type SlotLease, type Slots } from "../../pool/queue/slots.ts";
import { Strays } from "../../pool/queue/strays.ts";
import { type RunSession, Worker, type WorkerOptions } from "../../pool/queue/worker.ts";
import { readEvents } from "../../pool/store/events.ts";
import { readRow } from "../../pool/store/runs.ts";
import { type Sql, type Store, StoreOutage } from "../../pool/store/sql.ts";
import { readRun } from "../../pool/store/to-run.ts";
import { AppError } from "../../shared/errors.ts";
import { claimant, newRun, OUTCOME, OWNER, quiet } from "../support/run-fixtures.ts";
import { eachStore, eventually, type TestStore } from "../support/store.ts";

const hint = (reason: string) =>
  ({ type: "guardrail", at: new Date().toISOString(), rule: "r", kind: "hint", reason, action_seq: null, host: null }) as const;

type Options = Partial<Pick<WorkerOptions, "onEnded" | "mayWait" | "store" | "slots" | "floorMs" | "owner">> & { total?: number };

/** A worker with a session that stands in for browsers and playbooks: all else is real. */
async function openWorker(opened: TestStore, run: RunSession, options: Options = {}) {
  const slots = options.slots ?? createSlots({ total: options.total ?? 1, log: quiet });
  const store = options.store ?? opened.store;
  const { writer, queue, deps } = opened;
  const { owner = OWNER, floorMs = 60_000, onEnded, mayWait } = options;
  const worker = await Worker.open({ ...deps, store, queue, writer, slots, owner, run, onEnded, mayWait, log: quiet, floorMs });
  return {
    worker,
    slots,
    async [Symbol.asyncDispose]() {
      await worker.drain();
      await worker.idle();
      await worker[Symbol.asyncDispose]();
      expect(slots.busy).toBe(0);
      slots[Symbol.dispose]();
    },
  };
}

/** Ends each run after a turn of the event loop. */
const brief =
  ({ writer }: TestStore, seen?: (runId: string) => void): RunSession =>
  async ({ fence }) => {
    seen?.(fence.run_id);
    await writer.transition(fence, "running");
    await writer.append(fence, hint(fence.run_id));
    await writer.transition(fence, "completed", OUTCOME);
  };
const post = ({ deps }: TestStore, run = newRun()) => createRun(deps, run, { claimFor: null, idempotency: null });
const statuses = async ({ store }: TestStore) => {
  const rows = await store.query<{ status: string; n: number }>("SELECT status, count(*)::int AS n FROM understudy.runs GROUP BY 1", []);
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
};

eachStore("the worker", (opened) => {
  it("runs 60 runs posted at once on 2 slots: each once, two at a time, without a pause between them", async () => {
    const started: string[] = [];
    const gapsMs: number[] = [];
    let [inside, most, freedAt] = [0, 0, 0];
    const session: RunSession = async (claim, expired) => {
      if (freedAt > 0) gapsMs.push(performance.now() - freedAt);
      inside += 1;
      most = Math.max(most, inside);
      await brief(opened(), (runId) => started.push(runId))(claim, expired);
      inside -= 1;
      freedAt = performance.now();
    };
    await using node = await openWorker(opened(), session, { total: 2 });
    const created = await Promise.all(Array.from({ length: 60 }, () => node.worker.create(newRun(), null)));
    await eventually(() => statuses(opened())).toEqual({ completed: 60 });
    expect(started.toSorted()).toEqual(created.map(({ run_id }) => run_id).toSorted());
    expect(most).toBe(2);
    expect(gapsMs.toSorted((a, b) => a - b)[gapsMs.length >> 1]).toBeLessThan(5_000); // a few milliseconds when the machine is quiet; the look at the queue comes every minute here
    for (const { run_id } of created.slice(0, 20)) {
      const events = await readEvents(opened().store, run_id, 0, 100);
      expect(events.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(events[3]?.event).toMatchObject({ reason: run_id }); // logs never mix
    }
    await node.worker.idle();
    expect(node.slots.busy).toBe(0);
    expect(await opened().store.query("SELECT 1 FROM understudy_queue.job_common WHERE state <> 'completed'", [])).toEqual([]);
  });

  it("starts a run at once that a free slot was waiting for, and one that another node queued", async () => {
    const { promise: both, resolve } = Promise.withResolvers<void>();
    const started: string[] = [];
    await using node = await openWorker(
      opened(),
      brief(opened(), (runId) => started.push(runId) === 2 && resolve()),
    );
    const mine = await node.worker.create(newRun(), null);
    expect(mine).toMatchObject({ status: "starting" });
    await node.worker.idle();
    const theirs = await post(opened());
    await both;
    expect(started).toEqual([mine.run_id, theirs.run_id]);
  });

  it("finds work that nobody told it of, once it knows that some waits, and does not look before", async () => {
    const { store } = opened();
    let [asked, waits] = [0, false];
    const mayWait = () => ++asked > 0 && waits;
    const deaf: Store = { ...store, listen: async () => ({ [Symbol.asyncDispose]: async () => {} }) };
    await using _node = await openWorker(opened(), brief(opened()), { store: deaf, floorMs: 5, mayWait });
    await eventually(() => asked).toBeGreaterThan(0); // its first look is behind it
    const { run_id } = await post(opened());
    const before = asked;
    await eventually(() => asked).toBeGreaterThan(before + 3);
    expect((await readRow(store, run_id))?.status).toBe("queued");
    waits = true;
    await eventually(async () => (await readRow(store, run_id))?.status).toBe("completed");
  });

  it("drains: takes nothing new, lets what runs go on, and takes again when it resumes", async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const session: RunSession = async (claim, expired) => {
      await released;
      await brief(opened())(claim, expired);
    };
    await using node = await openWorker(opened(), session, { total: 2 });
    const running = await node.worker.create(newRun(), null);
    await node.worker.drain();
    expect(node.worker.state).toBe("draining");
    expect(await readRow(opened().store, running.run_id)).toMatchObject({ status: "starting" });
    const waiting = await node.worker.create(newRun(), null);
    expect(waiting.status).toBe("queued");
    release();
    await node.worker.idle();
    expect(node.worker.state).toBe("drained");
    expect(await statuses(opened())).toEqual({ completed: 1, queued: 1 });
    node.worker.resume();
    expect(node.worker.state).toBe("ready");
    await eventually(() => statuses(opened())).toEqual({ completed: 2 });
  });

  it("is not drained while a run is being accepted that it may get", async () => {
    const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const { store } = opened();
    const slow: Store = {
      ...store,
      async transaction(work) {
        onAsked();
        await answered;
        return store.transaction(work);
      },
    };
    const started: string[] = [];
    const session = brief(opened(), (runId) => started.push(runId));
    const slots = createSlots({ total: 1, log: quiet });
    const busy: Slots = {
      ...slots,
      next: (signal) => new Promise((_, reject) => signal.addEventListener("abort", reject, { once: true })),
    };
    await using node = await openWorker(opened(), session, { store: slow, slots: busy });
    const creating = node.worker.create(newRun(), null);
    await asked;
    let isDrained = false;
    const draining = node.worker.drain().then(() => (isDrained = true));
    await new Promise(setImmediate);
    expect([isDrained, node.worker.state]).toEqual([false, "draining"]);
    answer();
    await draining;
    const { run_id } = await creating;
    await node.worker.idle();
    expect(started).toEqual([run_id]);
  });

  it("ends a run whose session threw, and frees its slot", async () => {
    const errors = [new TypeError("a bug with a secret in it"), new AppError("SETUP_FAILED", "No browser")];
    const ended: unknown[] = [];
    const session = async () => {
      throw errors.shift();
    };
    await using node = await openWorker(opened(), session, { onEnded: (...told) => void ended.push(told) });
    const first = await node.worker.create(newRun(), null);
    await node.worker.idle();
    const second = await node.worker.create(newRun({ recording: { enabled: false } }), null);
    await node.worker.idle();
    expect(await readRun(opened().store, first.run_id)).toMatchObject({
      status: "failed",
      error: { code: "INTERNAL", message: expect.not.stringContaining("secret") },
      recording: { state: "lost" },
    });
    expect(await readRun(opened().store, second.run_id)).toMatchObject({ error: { code: "SETUP_FAILED" }, recording: { state: "off" } });
    expect(ended).toEqual([
      ["failed", "INTERNAL"],
      ["failed", "SETUP_FAILED"],
    ]);
    expect(node.slots.busy).toBe(0);
  });

  it("does not touch the end of a run whose session threw only afterwards", async () => {
    await using node = await openWorker(opened(), async (claim, expired) => {
      await brief(opened())(claim, expired);
      throw new TypeError("late");
    });
    const { run_id } = await node.worker.create(newRun(), null);
    await node.worker.idle();
    expect(await readRun(opened().store, run_id)).toMatchObject({ status: "completed", result: "done" });
  });

  it("takes the slot back from a session that never ends, tells it, and ends its run", async () => {
    const slots = createSlots({ total: 1, log: quiet });
    const hurry = <L extends SlotLease | null>(lease: L): L => {
      const hold = lease?.hold.bind(lease);
      if (lease && hold) lease.hold = (holder) => hold(holder, 20);
      return lease;
    };
    const hasty: Slots = {
      ...slots,
      get busy() {
        return slots.busy;
      },
      take: () => hurry(slots.take()),
      next: async (signal) => hurry(await slots.next(signal)),
    };
    const { promise: told, resolve } = Promise.withResolvers<unknown>();
    const never: RunSession = (_claim, expired) =>
      new Promise(() => expired.addEventListener("abort", () => resolve(expired.reason), { once: true }));
    await using node = await openWorker(opened(), never, { slots: hasty });
    const { run_id } = await node.worker.create(newRun(), null);
    expect(await told).toMatchObject({ code: "INTERNAL" });
    await node.worker.idle();
    expect(await readRun(opened().store, run_id)).toMatchObject({ status: "failed", error: { code: "INTERNAL" } });
    await eventually(async () => slots.busy).toBe(0); // a look at the queue holds one for a moment
  });

  it("runs a run once whose claim was committed as the connection broke", async () => {
    let breaks = 1;
    const { store } = opened();
    const breaking: Store = {
      ...store,
      async transaction(work) {
        const result = await store.transaction(work);
        if (result !== null && breaks-- > 0) throw new StoreOutage("broke after the commit");
        return result;
      },
    };
    const started: string[] = [];
    const session = brief(opened(), (runId) => started.push(runId));
    await using node = await openWorker(opened(), session, { store: breaking, floorMs: 20, mayWait: () => false }); // it looks for claims in doubt all the same
    const claimed = await post(opened()); // claimed by the loop
    await eventually(() => statuses(opened())).toEqual({ completed: 1 });
    breaks = 1;
    await expect(node.worker.create(newRun(), null)).rejects.toThrow(StoreOutage); // claimed by the one who posts
    await eventually(() => statuses(opened())).toEqual({ completed: 2 });
    expect(started).toHaveLength(2);
    expect(started[0]).toBe(claimed.run_id);
  });

  it("finds every run whose claim was committed unheard, however long the store was away", async () => {
    const strays = new Strays(opened().store, OWNER);
    const committed: string[] = [];
    for (const claimFor of [claimant(), claimant()]) {
      committed.push((await createRun(opened().deps, newRun(), { claimFor, idempotency: null })).run_id);
      strays.add(claimFor.claim_id);
    }
    const clock = vi.spyOn(performance, "now").mockReturnValue(performance.now() + 3_600_000);
    try {
      const found = [await strays.take(), await strays.take()].map((claim) => claim?.run.run_id ?? "");
      expect(found.toSorted()).toEqual(committed.toSorted());
      expect(await strays.take()).toBeNull();
    } finally {
      clock.mockRestore();
    }
  });

  it("leaks no slot and loses no run, wherever a statement fails", async () => {
    const { store } = opened();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 6 }), fc.boolean(), async (positions, outage) => {
        let statement = 0;
        const breaking = (sql: Sql): Sql => ({
          query: (text, values) => {
            if (!positions.includes(statement++)) return sql.query(text, values);
            throw outage ? new StoreOutage("broken") : new RangeError("broken");
          },
        });
        const brittle: Store = { ...store, transaction: (work) => store.transaction((tx) => work(breaking(tx))) };
        const accepted: string[] = [];
        {
          await using node = await openWorker(opened(), brief(opened()), { store: brittle, total: 2, floorMs: 5 });
          const posts = await Promise.allSettled(Array.from({ length: 4 }, () => node.worker.create(newRun(), null)));
          for (const post of posts) if (post.status === "fulfilled") accepted.push(post.value.run_id);
          await eventually(async () => (await statuses(opened())).completed ?? 0).toBe(accepted.length);
          await node.worker.idle();
          await eventually(() => node.slots.busy).toBeLessThanOrEqual(1); // the loop may be looking
        }
        const rows = await store.query<{ run_id: string }>("SELECT run_id FROM understudy.runs", []);
        expect(rows.map(({ run_id }) => run_id).toSorted()).toEqual(accepted.toSorted());
        await store.query("TRUNCATE understudy.runs, understudy.events; DELETE FROM understudy_queue.job_common");
      }),
      { numRuns: 4 },
    );
  });

  it("goes on after the store was away", async () => {
    let broken = true;
    const { store } = opened();
    const away: Store = {
      ...store,
      transaction: (work) => (broken ? Promise.reject(new StoreOutage("away")) : store.transaction(work)),
    };
    await using node = await openWorker(opened(), brief(opened()), { store: away, floorMs: 20 });
    await post(opened());
    await expect(node.worker.create(newRun(), null)).rejects.toThrow(StoreOutage);
    expect(node.slots.busy).toBeLessThanOrEqual(1);
    broken = false;
    await eventually(() => statuses(opened())).toEqual({ completed: 1 });
  });
});
