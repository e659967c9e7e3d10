import { expect, it } from "vitest";
import { claimNext, createRun, WORK_CHANNEL } from "../../pool/queue/dispatch.ts";
import { readEvents } from "../../pool/store/events.ts";
import { countQueued, deleteRun, readRow } from "../../pool/store/runs.ts";
import { createSeal } from "../../pool/store/seal.ts";
import type { Sql, Store } from "../../pool/store/sql.ts";
import { claimant, newRun, OUTCOME, OWNER } from "../support/run-fixtures.ts";
import { eachStore, openTestStore } from "../support/store.ts";

const seal = createSeal("0123456789abcdef0123456789abcdef");
const key = (name: string, body: unknown = { directive: "x" }) => ({ key: name, digest: seal.digest(body) });
const nowhere = { claimFor: null, idempotency: null };
const jobs = (store: Store) => store.query<{ id: string; state: string }>("SELECT id, state::text FROM understudy_queue.job_common", []);

eachStore("creating a run", (opened) => {
  it("leaves a queued run, its first event and its job", async () => {
    const { deps, store } = opened();
    const run = newRun();
    expect(await createRun(deps, run, nowhere)).toEqual({ run_id: run.run_id, status: "queued", replayed: false, claim: null });
    expect(await readRow(store, run.run_id)).toMatchObject({
      status: "queued",
      last_event_id: 1,
      node_id: null,
      recording_state: "recording",
    });
    expect(await readEvents(store, run.run_id, 0, 10)).toMatchObject([
      { id: 1, event: { type: "status", status: "queued", previous: null } },
    ]);
    expect(await jobs(store)).toEqual([{ id: run.run_id, state: "created" }]);
  });

  it("claims it for a node that has a free slot, in the same transaction", async () => {
    const { deps, store } = opened();
    const run = newRun();
    const created = await createRun(deps, run, { claimFor: claimant(), idempotency: null });
    expect(created).toMatchObject({ status: "starting", claim: { fence: { run_id: run.run_id, attempt: 1, node_id: OWNER.node_id } } });
    expect(created.claim?.run).toEqual(await readRow(store, run.run_id));
    expect(created.claim?.run).toMatchObject({ status: "starting", last_event_id: 2, node_url: OWNER.node_url, request: run.request });
    expect((await readEvents(store, run.run_id, 1, 10))[0]).toMatchObject({ id: 2, event: { status: "starting", previous: "queued" } });
    expect(await jobs(store)).toEqual([{ id: run.run_id, state: "active" }]);
  });

  it("hands over the head of the queue when others wait, and queues the new one behind them", async () => {
    const { deps } = opened();
    const first = newRun();
    await createRun(deps, first, nowhere);
    const second = newRun();
    const created = await createRun(deps, second, { claimFor: claimant(), idempotency: null });
    expect(created).toMatchObject({
      run_id: second.run_id,
      status: "queued",
      claim: { run: { run_id: first.run_id, status: "starting" } },
    });
    expect((await claimNext(deps, claimant()))?.run.run_id).toBe(second.run_id);
    expect(await claimNext(deps, claimant())).toBeNull();
  });

  it("wakes other nodes when it stays queued, and only then", async () => {
    const { deps, store } = opened();
    const heard: string[] = [];
    const { promise: woken, resolve } = Promise.withResolvers<void>();
    await using _listening = await store.listen(WORK_CHANNEL, (runId) => {
      heard.push(runId);
      resolve();
    });
    await createRun(deps, newRun(), { claimFor: claimant(), idempotency: null });
    const waiting = newRun();
    await createRun(deps, waiting, nowhere);
    await woken;
    expect(heard).toEqual([waiting.run_id]);
  });

  it("is refused when the queue is full, exactly at its bound, and leaves nothing behind", async () => {
    const { deps, store } = opened();
    const bounded = { ...deps, queueMax: 10 };
    const results = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) => createRun(bounded, newRun(), { claimFor: null, idempotency: key(`k${i}`) })),
    );
    const refused = results.filter((each) => each.status === "rejected");
    expect(refused).toHaveLength(20);
    for (const { reason } of refused) {
      expect(reason).toMatchObject({ code: "POOL_SATURATED", retryAfterS: expect.any(Number), details: { reason: "queue_full" } });
    }
    expect(await countQueued(store)).toBe(10);
    expect(await jobs(store)).toHaveLength(10);
    expect(await store.query("SELECT 1 FROM understudy.idempotency", [])).toHaveLength(10);
    const taken = await createRun(bounded, newRun(), { claimFor: claimant(), idempotency: null }); // a free slot needs no room in the queue
    expect(taken.claim).not.toBeNull();
  });

  it("is all or nothing, wherever it breaks", async () => {
    const { deps, store } = opened();
    for (const claimFor of [null, claimant()]) {
      let done = false;
      for (let at = 0; !done; at++) {
        let statement = 0;
        const breaking = (tx: Sql): Sql => ({
          query: (text, values) => {
            if (statement++ === at) throw new RangeError("broken");
            return tx.query(text, values);
          },
        });
        const broken: Store = { ...store, transaction: (work) => store.transaction((tx) => work(breaking(tx))) };
        const creating = createRun({ ...deps, store: broken }, newRun(), { claimFor, idempotency: key(`${at}`) });
        done = await creating.then(
          () => true,
          () => false,
        );
        if (!done) expect(await store.query("SELECT 1 FROM understudy.runs", [])).toEqual([]);
        if (!done) expect([...(await jobs(store)), ...(await store.query("SELECT 1 FROM understudy.idempotency", []))]).toEqual([]);
        if (done) expect(at).toBeGreaterThan(3); // it was broken at every statement before
      }
      await store.query("TRUNCATE understudy.runs, understudy.events, understudy.idempotency; DELETE FROM understudy_queue.job_common");
    }
  });

  it("skips jobs whose runs are over or gone", async () => {
    const { deps, store } = opened();
    const [gone, over, fine] = [newRun(), newRun(), newRun()];
    for (const run of [gone, over, fine]) await createRun(deps, run, nowhere);
    await store.query("DELETE FROM understudy.runs WHERE run_id = $1", [gone.run_id]);
    await store.query("UPDATE understudy.runs SET status = 'failed' WHERE run_id = $1", [over.run_id]);
    expect((await claimNext(deps, claimant()))?.run.run_id).toBe(fine.run_id);
    expect((await jobs(store)).filter(({ state }) => state === "created")).toEqual([]);
  });
});

eachStore("an idempotency key", (opened) => {
  const create = (name: string, body?: unknown, more: { api_key_name?: string; claim?: boolean } = {}) =>
    createRun(opened().deps, newRun({}, { api_key_name: more.api_key_name ?? "tester" }), {
      claimFor: more.claim ? claimant() : null,
      idempotency: key(name, body),
    });

  it("gives the same answer for the same body, without a second run", async () => {
    const first = await create("a", undefined, { claim: true });
    const second = await create("a", undefined, { claim: true });
    expect(second).toEqual({ run_id: first.run_id, status: "starting", replayed: true, claim: null });
    expect(await opened().store.query("SELECT 1 FROM understudy.runs", [])).toHaveLength(1);
  });

  it("gives the first answer again when the run was deleted meanwhile", async () => {
    const first = await create("a", undefined, { claim: true });
    if (first.claim) await opened().writer.transition(first.claim.fence, "completed", { ...OUTCOME, settled: true });
    await deleteRun(opened().store, first.run_id);
    expect(await create("a")).toMatchObject({ run_id: first.run_id, status: "starting", replayed: true });
    expect(await opened().store.query("SELECT 1 FROM understudy.runs", [])).toEqual([]);
  });

  it("tells the status that the first answer told, also when the run had to wait after all", async () => {
    await create("first");
    const second = await create("second", undefined, { claim: true }); // claims the first
    expect(second.status).toBe("queued");
    expect(await create("second")).toMatchObject({ run_id: second.run_id, status: "queued", replayed: true });
  });

  it("conflicts with another body, and with other credentials in the same one", async () => {
    await create("a", { directive: "x", credentials: { password: "one" } });
    for (const body of [
      { directive: "y", credentials: { password: "one" } },
      { directive: "x", credentials: { password: "two" } },
    ]) {
      await expect(create("a", body)).rejects.toMatchObject({ code: "CONFLICT", details: { reason: "idempotency_key_reused" } });
    }
    expect(JSON.stringify(await opened().store.query("SELECT * FROM understudy.idempotency", []))).not.toContain("one");
  });

  it("belongs to its API key", async () => {
    const first = await create("a");
    const other = await create("a", { directive: "another" }, { api_key_name: "other" });
    expect(other.run_id).not.toBe(first.run_id);
  });

  it("makes one run of many posts at the same moment", async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => create("race", undefined, { claim: i % 2 === 0 })));
    expect(new Set(answers.map(({ run_id }) => run_id)).size).toBe(1);
    expect(new Set(answers.map(({ status }) => status)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await opened().store.query("SELECT 1 FROM understudy.runs", [])).toHaveLength(1);
  });

  it("is free again after a day", async () => {
    const first = await create("a");
    await opened().store.query("UPDATE understudy.idempotency SET expires_at = now() - interval '1 second'");
    const second = await create("a", { directive: "another" });
    expect(second).toMatchObject({ replayed: false });
    expect(second.run_id).not.toBe(first.run_id);
    await expect(create("a")).rejects.toMatchObject({ code: "CONFLICT" });
  });
});

eachStore("several nodes at one queue", (opened, kind) => {
  it("claim each run once, in order", async () => {
    const { deps } = opened();
    const posted: string[] = [];
    for (let i = 0; i < 20; i++) posted.push((await createRun(deps, newRun(), nowhere)).run_id);
    const nodes = ["a", "b", "c"].map((node_id) => ({ ...OWNER, node_id }));
    const claimed: string[] = [];
    await Promise.all(
      nodes.map(async (owner) => {
        for (;;) {
          const claim = await claimNext(deps, claimant(owner));
          if (!claim) return;
          claimed.push(claim.run.run_id);
          await opened().writer.append(claim.fence, { type: "complete", at: new Date().toISOString(), status: "failed" });
        }
      }),
    );
    expect(claimed.toSorted()).toEqual(posted.toSorted());
    if (kind === "embedded") expect(claimed).toEqual(posted); // on a server claims that overlap may end in any order
  });

  if (kind === "server")
    it("do not wait for a run that another is just ending, and take it when that fails", async () => {
      await using other = await openTestStore("server", { databaseUrl: opened().databaseUrl as string });
      const { deps } = opened();
      const held = newRun();
      await createRun(deps, held, nowhere);
      const later = newRun();
      await other.store.transaction(async (tx) => {
        await tx.query("SELECT 1 FROM understudy.runs WHERE run_id = $1 FOR UPDATE", [held.run_id]);
        const created = await createRun(deps, later, { claimFor: claimant(), idempotency: null });
        expect(created).toMatchObject({ status: "queued", claim: null });
      });
      expect((await claimNext(deps, claimant()))?.run.run_id).toBe(held.run_id);
      expect((await claimNext(deps, claimant()))?.run.run_id).toBe(later.run_id);
    });
});
