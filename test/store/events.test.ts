import fc from "fast-check";
import { expect, it } from "vitest";
import { endRunsOfEarlierBoots } from "../../pool/queue/lost.ts";
import { EventWriter, readEvents } from "../../pool/store/events.ts";
import type { Fence } from "../../pool/store/fence.ts";
import { readRow } from "../../pool/store/runs.ts";
import { type Sql, type Store, StoreOutage } from "../../pool/store/sql.ts";
import type { NumberedEvent, RunEvent } from "../../shared/event.ts";
import { newRun, OUTCOME, OWNER, quiet } from "../support/run-fixtures.ts";
import { claimedRun, eachStore, type TestStore } from "../support/store.ts";

const event = (text: string): RunEvent => ({
  type: "guardrail",
  at: "2026-01-01T00:00:00.000Z",
  rule: "test",
  kind: "hint",
  reason: text,
  action_seq: null,
  host: null,
});
const reason = ({ event }: NumberedEvent): string => (event.type === "guardrail" ? event.reason : event.type);
const stored = ({ store }: TestStore, runId: string) => readEvents(store, runId, 0, 10_000);
const fenced = { code: "CONFLICT", details: { reason: "fenced" } };

eachStore("the event writer", (opened) => {
  it("numbers events 1, 2, 3 in order of the calls, and answers with what is stored", async () => {
    const { fence } = await claimedRun(opened());
    const texts = Array.from({ length: 50 }, (_, i) => `event ${i}`);
    const answers = await Promise.all(texts.map((text) => opened().writer.append(fence, event(text))));
    expect(answers.map(({ id }) => id)).toEqual(texts.map((_, i) => i + 3)); // 1 queued, 2 starting
    expect((await stored(opened(), fence.run_id)).slice(2)).toEqual(answers);
    expect(answers.map(reason)).toEqual(texts);
  });

  it("keeps every run's order and leaves no gap, however appends of many runs and their ends mix", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ run: fc.nat(3), pause: fc.boolean() }), { minLength: 1, maxLength: 40 }),
        fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        async (calls, ends) => {
          const claims = [];
          for (let i = 0; i < 4; i++) claims.push(await claimedRun(opened()));
          const fences = claims.map(({ fence }) => fence);
          const asked: string[][] = [[], [], [], []];
          const answers: Promise<unknown>[] = [];
          for (const [n, { run, pause }] of calls.entries()) {
            asked[run]?.push(String(n));
            answers.push(opened().writer.append(fences[run] as Fence, event(String(n))));
            if (pause) await answers[n];
          }
          for (const [run, end] of ends.entries())
            if (end) answers.push(opened().writer.transition(fences[run] as Fence, "failed", OUTCOME));
          await Promise.all(answers);
          for (const [run, { run_id }] of fences.entries()) {
            const events = await stored(opened(), run_id);
            expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1));
            expect(events.filter(({ event }) => event.type === "guardrail").map(reason)).toEqual(asked[run]);
            expect(events.at(-1)?.event.type === "complete").toBe(ends[run]);
          }
        },
      ),
      { numRuns: 8 },
    );
  });

  it("stores what pages hold: NUL, halves of surrogate pairs, quotes, megabytes", async () => {
    const { fence } = await claimedRun(opened());
    const hostile = `\0 \ud800 ' " \\ \\u0000 {} [] \u2028 😀 ${"x".repeat(1_000_000)}`;
    const answer = await opened().writer.append(fence, event(hostile));
    expect(reason(answer)).toBe(hostile.replace("\0", "\ufffd").toWellFormed());
    expect((await stored(opened(), fence.run_id)).at(-1)).toEqual(answer);
  });

  it("takes the event as it was at the call", async () => {
    const { fence } = await claimedRun(opened());
    const mine = { ...event("before") };
    const answer = opened().writer.append(fence, mine);
    Object.assign(mine, { reason: "after" });
    expect(reason(await answer)).toBe("before");
  });

  it("pages through stored events", async () => {
    const { fence } = await claimedRun(opened());
    for (let i = 0; i < 5; i++) void opened().writer.append(fence, event(String(i)));
    await opened().writer.append(fence, event("last"));
    expect((await readEvents(opened().store, fence.run_id, 3, 2)).map(({ id }) => id)).toEqual([4, 5]);
    expect(await readEvents(opened().store, fence.run_id, 99, 2)).toEqual([]);
  });
});

eachStore("the fence", (opened) => {
  const others = (fence: Fence): Fence[] => [
    { ...fence, node_id: "node-b" },
    { ...fence, boot_id: "boot-2" },
    { ...fence, attempt: 2 },
  ];

  it("refuses another node, another boot and another attempt", async () => {
    const { fence } = await claimedRun(opened());
    for (const other of others(fence)) {
      await expect(opened().writer.append(other, event("x"))).rejects.toMatchObject(fenced);
      await expect(opened().writer.transition(other, "failed", OUTCOME)).rejects.toMatchObject(fenced);
    }
    expect(await opened().writer.append(fence, event("mine"))).toMatchObject({ id: 3 });
  });

  it("tells attempts of one run apart that write at the same moment", async () => {
    const { store, writer } = opened();
    const { fence } = await claimedRun(opened());
    await writer.append(fence, event("first attempt"));
    await store.query("UPDATE understudy.runs SET attempt = 2 WHERE run_id = $1", [fence.run_id]);
    const next = { attempt: 2, boot_id: fence.boot_id, node_id: fence.node_id, run_id: fence.run_id };
    const writes = [fence, next, { ...next, run_id: fence.run_id }, fence, next].map((each, i) => writer.append(each, event(`${i}`)));
    expect((await Promise.allSettled(writes)).map(({ status }) => status)).toEqual([
      "rejected",
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect((await stored(opened(), fence.run_id)).map(reason)).toEqual(["status", "status", "first attempt", "1", "2", "4"]);
  });

  it("refuses an owner that was replaced behind its back, and lets the other runs of its group through", async () => {
    const { store, writer } = opened();
    const [old, other] = [await claimedRun(opened()), await claimedRun(opened())];
    await writer.append(old.fence, event("before"));
    await store.query("UPDATE understudy.runs SET boot_id = 'boot-2' WHERE run_id = $1", [old.fence.run_id]);
    const results = await Promise.allSettled([
      writer.append(old.fence, event("late")),
      writer.append(other.fence, event("fine")),
      writer.append(old.fence, event("later")),
      writer.transition(old.fence, "completed", OUTCOME),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected", "rejected"]);
    expect(await stored(opened(), old.fence.run_id)).toHaveLength(3);
  });
});

eachStore("a run's transitions", (opened) => {
  it("come after what was appended before, and write status, complete and outcome together", async () => {
    const { writer, store } = opened();
    const { fence } = await claimedRun(opened());
    void writer.append(fence, event("a"));
    const running = writer.transition(fence, "running");
    void writer.append(fence, event("b"));
    const end = await writer.transition(fence, "completed", OUTCOME);
    expect(await running).toMatchObject([{ id: 4, event: { type: "status", status: "running", previous: "starting", attempt: 1 } }]);
    expect(end).toMatchObject([
      { id: 6, event: { status: "completed", previous: "running" } },
      { id: 7, event: { type: "complete" } },
    ]);
    const events = await stored(opened(), fence.run_id);
    expect(events.map(reason)).toEqual(["status", "status", "a", "status", "b", "status", "complete"]);
    expect(events.slice(5)).toEqual(end);
    expect(await readRow(store, fence.run_id)).toMatchObject({ status: "completed", last_event_id: 7, outcome: { result: "done" } });
    expect(await store.query("SELECT state::text FROM understudy_queue.job_common WHERE id = $1", [fence.run_id])).toEqual([
      { state: "completed" },
    ]);
  });

  it("are refused when the states do not allow them; a terminal state never changes", async () => {
    const { writer, store } = opened();
    const { fence } = await claimedRun(opened());
    await expect(writer.transition(fence, "starting" as never)).rejects.toMatchObject({ code: "CONFLICT" });
    await writer.transition(fence, "terminated", OUTCOME);
    const before = await readRow(store, fence.run_id);
    for (const to of ["completed", "failed", "timeout", "terminated"] as const) {
      await expect(writer.transition(fence, to, OUTCOME)).rejects.toMatchObject({ code: "CONFLICT" });
    }
    await expect(writer.transition(fence, "running")).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(writer.append(fence, event("late"))).rejects.toMatchObject(fenced);
    expect(await readRow(store, fence.run_id)).toEqual(before);
  });

  it("happen once when two ends are asked for at the same moment", async () => {
    const { fence } = await claimedRun(opened());
    const ends = await Promise.allSettled([
      opened().writer.transition(fence, "completed", OUTCOME),
      opened().writer.transition(fence, "terminated", OUTCOME),
    ]);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect((await stored(opened(), fence.run_id)).filter(({ event }) => event.type === "complete")).toHaveLength(1);
  });

  it("are not made when the caller gave up before their turn", async () => {
    const { fence } = await claimedRun(opened());
    const late = opened().writer.transition(fence, "failed", { ...OUTCOME, signal: AbortSignal.abort(new RangeError("too late")) });
    await expect(late).rejects.toThrow(RangeError);
    expect((await readRow(opened().store, fence.run_id))?.status).toBe("starting");
  });
});

/** The real store, behind a connection that breaks: before a statement arrives, or after it was committed and before its answer came. */
function behindBrokenConnection(store: Store, breaks: ("before" | "after" | "works")[]): Store {
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    const next = breaks.shift() ?? "works";
    if (next === "before") throw new StoreOutage("down");
    const result = await work();
    if (next === "after") throw new StoreOutage("down");
    return result;
  };
  return {
    ...store,
    query: (text, values) => guard(() => store.query(text, values)),
    transaction: <T>(work: (tx: Sql) => Promise<T>) => guard(() => store.transaction(work)),
  };
}

eachStore("an outage of the store", (opened) => {
  const writerOn = (store: Store, outageLimitMs = 20_000) => {
    const settle = async (tx: Sql, fence: Fence) => void (await opened().queue.settle(tx, fence));
    return new EventWriter({ store, settle, log: quiet, outageLimitMs });
  };

  it("loses no event, doubles none and keeps their order, wherever the connection breaks", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom("before", "after", "works"), { maxLength: 4 }), async (breaks) => {
        const { fence, run } = await claimedRun(opened(), newRun());
        const writer = writerOn(behindBrokenConnection(opened().store, [...breaks]));
        if (breaks.length % 2) writer.adopt({ fence, status: run.status, last_event_id: run.last_event_id });
        const answers = ["a", "b", "c"].map((text) => writer.append(fence, event(text)));
        const running = writer.transition(fence, "running");
        const more = writer.append(fence, event("d"));
        const end = writer.transition(fence, "completed", OUTCOME);
        const told = [...(await Promise.all(answers)), ...(await running), await more, ...(await end)];
        const events = await stored(opened(), fence.run_id);
        expect(events.slice(2)).toEqual(told);
        expect(events.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        expect(events.map(reason)).toEqual(["status", "status", "a", "b", "c", "status", "d", "status", "complete"]);
      }),
      { numRuns: 6 },
    );
  });

  it("does not take the end that a peer wrote meanwhile for our own events", async () => {
    const { store, queue } = opened();
    const asks = [
      (writer: EventWriter, fence: Fence) => Promise.allSettled([writer.append(fence, event("a")), writer.append(fence, event("b"))]),
      (writer: EventWriter, fence: Fence) => Promise.allSettled([writer.transition(fence, "completed", OUTCOME)]),
    ];
    for (const ask of asks) {
      const { fence, run } = await claimedRun(opened());
      let broken = false;
      const cutOff = async () => {
        if (broken) return;
        broken = true;
        await endRunsOfEarlierBoots({ store, queue, owner: { ...OWNER, boot_id: "boot-2" }, log: quiet });
        throw new StoreOutage("down");
      };
      const writer = writerOn({
        ...store,
        query: (text, values) => cutOff().then(() => store.query<never>(text, values)),
        transaction: (work) => cutOff().then(() => store.transaction(work)),
      });
      writer.adopt({ fence, status: run.status, last_event_id: run.last_event_id });
      for (const answer of await ask(writer, fence)) expect(answer).toMatchObject({ status: "rejected", reason: { code: "CONFLICT" } });
      expect((await stored(opened(), fence.run_id)).map(reason)).toEqual(["status", "status", "status", "complete"]);
    }
  });

  it("is told to the caller once it has lasted too long, and events go on with the right numbers afterwards", async () => {
    const { fence } = await claimedRun(opened());
    const writer = writerOn(behindBrokenConnection(opened().store, ["works", "after"]), 0); // reads the head, then one try
    await expect(writer.append(fence, event("in doubt"))).rejects.toThrow(StoreOutage);
    expect(await writer.append(fence, event("next"))).toMatchObject({ id: 4 }); // the one in doubt had been stored
    expect((await stored(opened(), fence.run_id)).map(reason)).toEqual(["status", "status", "in doubt", "next"]);
  });
});
