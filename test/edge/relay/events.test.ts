import { once } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EdgeLimits } from "../../../edge/edge.ts";
import { identify } from "../../../edge/relay/events.ts";
import type { RunEvent } from "../../../shared/event.ts";
import { formatEvent, KEEPALIVE, parseFrames } from "../../../shared/sse.ts";
import { edgeOnNode, KEYS } from "../../support/edge.ts";
import {
  breakAfter,
  emptyEnd,
  type Fault,
  notHttp,
  page,
  reset,
  resetAfterHead,
  silenceAfter,
  status,
} from "../../support/stand-in-faults.ts";
import { StandInNode, StandInStore } from "../../support/stand-in-node.ts";

const at = new Date(0).toISOString();
const step = (index: number): RunEvent => ({
  type: "step",
  at,
  index,
  action: "click",
  description: "",
  state: "started",
  attempt: 1,
  error: null,
});
const complete: RunEvent = { type: "complete", at, status: "completed" };
const quick: EdgeLimits = { idleMs: 100, backoffMs: { least: 1, most: 5 }, giveUpMs: 2_000, queuedWaitS: 0.2, refreshMs: 60_000 };

async function pool(limits: EdgeLimits = quick) {
  const stack = new AsyncDisposableStack();
  const store = new StandInStore();
  const owner = stack.use(await StandInNode.start({ store }));
  const other = stack.use(await StandInNode.start({ store }));
  const edge = stack.use(await edgeOnNode([owner, other], {}, limits));
  await edge.get("/readyz", { key: null });
  return { store, owner, other, edge, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** All ids of a response and how it ended. */
async function follow(response: Response): Promise<{ ids: number[]; broken: boolean; comments: number }> {
  const ids: number[] = [];
  let comments = 0;
  if (response.status === 204) return { ids, broken: false, comments };
  try {
    for await (const { id, data } of parseFrames(response.body as unknown as AsyncIterable<Uint8Array>)) {
      if (data === null) comments++;
      else ids.push(Number(id));
    }
    return { ids, broken: false, comments };
  } catch {
    return { ids, broken: true, comments };
  }
}

it.each(["live", "stored"] as const)("a run that was deleted is 404, though the edge has just seen it %s", async (state) => {
  await using place = await pool();
  const { store, owner, edge } = place;
  const run = store.addRun({ owner, state, events: [step(0), complete] });
  expect((await follow(await edge.get(`/runs/${run.run_id}/stream`))).ids).toEqual([1, 2]);
  store.runs.delete(run.run_id); // by way of another edge
  const gone = await edge.get(`/runs/${run.run_id}/stream`);
  expect([gone.status, gone.headers.get("content-type")]).toEqual([404, expect.stringContaining("application/json")]);
  await gone.body?.cancel();
});

describe("the relay of events", () => {
  it("has no double and no gap, whatever faults come in whatever order, from whatever id on", async () => {
    await using nodes = await pool();
    const { store, owner, other, edge } = nodes;
    const events = [...Array.from({ length: 7 }, (_, i) => step(i)), complete];
    const frames = (from: number, to: number) =>
      events
        .slice(from - 1, to)
        .map((event, i) => formatEvent({ id: from + i, event }))
        .join("");
    const fault = fc.oneof(
      fc.constantFrom<Fault | null>(null, reset, resetAfterHead, emptyEnd, notHttp, page, status(500)),
      fc
        .tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 8 }), fc.constantFrom(breakAfter, silenceAfter))
        .map(([from, count, how]) => how(frames(from, from + count))),
    );
    const faults = fc.array(fault, { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(faults, faults, faults, fc.nat({ max: 8 }), async (live, stored, elsewhere, last) => {
        const run = store.addRun({ owner, events });
        owner.faults.set("live.stream", [...live]);
        owner.faults.set("stored.stream", [...stored]);
        other.faults.set("stored.stream", [...elsewhere]);
        const response = await edge.get(`/runs/${run.run_id}/stream`, { headers: { "last-event-id": String(last) } });
        const expected = Array.from({ length: 8 - last }, (_, i) => last + 1 + i);
        const { ids, broken } = await follow(response);
        expect({ ids, broken }).toEqual({ ids: expected, broken: false }); // every list of faults comes to its end before the relay gives up
      }),
      { numRuns: 60 },
    );
  });

  it("breaks the connection when nothing shows for too long that the run is being followed", async () => {
    await using nodes = await pool();
    const { store, owner, other, edge } = nodes;
    const run = store.addRun({ owner, events: [step(0), step(1)] });
    owner.faults.set("live.stream", breakAfter(KEEPALIVE)); // as every stream of a node begins
    const { ids, broken, comments } = await follow(await edge.get(`/runs/${run.run_id}/stream`));
    expect([ids, broken]).toEqual([[1, 2], true]);
    expect(comments).toBeGreaterThan(2);
    expect(owner.count("live.stream")).toBeGreaterThan(5);
    expect(other.count("live.stream")).toBe(0);
  });

  it("breaks the connection when the run is deleted meanwhile", async () => {
    await using nodes = await pool();
    const { store, owner, edge } = nodes;
    const run = store.addRun({ owner, events: [step(0)] });
    const response = await edge.get(`/runs/${run.run_id}/stream`);
    store.runs.delete(run.run_id);
    store.update(run, { owner: null });
    expect((await follow(response)).broken).toBe(true);
  });

  it("follows a queued run for longer than it would wait for a silent one", async () => {
    await using nodes = await pool();
    const { store, owner, edge } = nodes;
    const run = store.addRun({ state: "queued", status: "queued", events: [step(0)] });
    const following = follow(await edge.get(`/runs/${run.run_id}/stream`));
    const asked = () => owner.count("location") + nodes.other.count("location");
    const begun = Date.now();
    while (Date.now() - begun < 2 * (quick.giveUpMs ?? 0) || asked() < 4)
      await once(store, "tick", { signal: AbortSignal.timeout(20) }).catch(() => {});
    store.update(run, { state: "stored", events: [step(0), complete] });
    expect(await following).toMatchObject({ ids: [1, 2], broken: false });
  });

  it("goes to the next owner when a run is queued again and another node takes it", async () => {
    await using nodes = await pool();
    const { store, owner, other, edge } = nodes;
    const run = store.addRun({ owner, events: [step(0)] });
    const following = follow(await edge.get(`/runs/${run.run_id}/stream`));
    store.update(run, { state: "queued", owner: null, events: [step(0), step(1)] });
    store.update(run, { state: "live", owner: other, events: [step(0), step(1), step(2)] });
    store.addEvents(run, complete);
    expect(await following).toMatchObject({ ids: [1, 2, 3, 4], broken: false });
  });

  it("keeps a quiet run's connection awake with comments", async () => {
    await using nodes = await pool({ ...quick, idleMs: 60_000, keepaliveMs: 10 });
    const { store, owner, edge } = nodes;
    const run = store.addRun({ owner, events: [step(0)] });
    const response = await edge.get(`/runs/${run.run_id}/stream`);
    let comments = 0;
    for await (const { data } of parseFrames(response.body as unknown as AsyncIterable<Uint8Array>)) {
      if (data === null && ++comments === 5) break;
    }
    expect(owner.count("live.stream")).toBe(1);
  });

  it("counts its streams, and lets go of each, however it ends", async () => {
    await using nodes = await pool();
    const { store, owner, edge } = nodes;
    const open = async () =>
      Number(/open_streams\{kind="events"\} (\d+)/.exec(await (await edge.get("/metrics", { key: KEYS.admin })).text())?.[1]);
    const live = store.addRun({ owner, events: [step(0)] });
    const leave = new AbortController();
    const response = await edge.get(`/runs/${live.run_id}/stream`, { signal: leave.signal });
    await response.body?.getReader().read();
    expect(await open()).toBe(1);
    await follow(await edge.get(`/runs/${store.addRun({ events: [step(0), complete] }).run_id}/stream`));
    const closed = once(owner, "closed");
    leave.abort();
    await closed;
    expect(await open()).toBe(0);
  });
});

describe("identify", () => {
  it("takes an event of a newer version, and passes its data on", () => {
    expect(identify({ id: "3", event: "approval", data: '{"type":"approval","more":1}' })).toEqual({ id: 3, type: "approval" });
  });

  it.each([
    { id: null, event: null, data: '{"type":"step"}' },
    { id: "0", event: null, data: '{"type":"step"}' },
    { id: "1", event: "click", data: '{"type":"step"}' },
    { id: "1", event: null, data: '{"type":"a\\nid: 9"}' },
    { id: "1", event: null, data: '{"type":\n"step"}' },
    { id: "1", event: null, data: "null" },
    { id: "1", event: null, data: "step" },
  ])("refuses %j", (frame) => {
    expect(() => identify(frame)).toThrow(expect.objectContaining({ code: "POOL_UNREACHABLE" }));
  });
});
