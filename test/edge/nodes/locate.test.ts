import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "../../../edge/log.ts";
import { connectOnNode } from "../../../edge/main-node-connect.ts";
import { createLocate, type LocateLimits } from "../../../edge/nodes/locate.ts";
import { Members } from "../../../edge/nodes/members.ts";
import { POOL_TOKEN, StandInNode, StandInStore } from "../../support/stand-in-node.ts";

const store = new StandInStore();
let node: StandInNode;
let members: Members;
beforeAll(async () => {
  node = await StandInNode.start({ store });
  members = new Members({ seeds: [node.url], token: POOL_TOKEN, connect: connectOnNode, log: createLog("silent"), refreshMs: 60_000 });
  await members.ready();
});
afterAll(async () => {
  await members[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
});

const tester = { asker: { onlyOwn: "tester" } };
/** Finds runs, and how often the node was asked meanwhile. */
function locating(limits?: LocateLimits) {
  const locate = createLocate(members, limits);
  const before = node.count("location");
  return { ...locate, asked: () => node.count("location") - before };
}

describe("where a run is", () => {
  it("is asked once for a live or stored run, until it is dropped", async () => {
    const { find, drop, asked } = locating();
    for (const run of [store.addRun({ owner: node }), store.addRun()]) {
      const before = asked();
      expect(await find(run.run_id, tester)).toMatchObject({ run_id: run.run_id, state: run.state });
      await find(run.run_id, tester);
      expect(asked() - before).toBe(1);
      drop(run.run_id, tester.asker);
      await find(run.run_id, tester);
      expect(asked() - before).toBe(2);
    }
  });

  it("is asked each time while the run is queued", async () => {
    const { find, asked } = locating();
    const run = store.addRun({ state: "queued" });
    await find(run.run_id, tester);
    await find(run.run_id, tester);
    expect(asked()).toBe(2);
  });

  it("is what the pool says now when it is asked, and kept from then on", async () => {
    const { find, ask, kept } = locating();
    const run = store.addRun({ owner: node });
    await find(run.run_id, tester);
    store.update(run, { state: "stored", owner: null });
    expect((await ask(run.run_id, tester)).state).toBe("stored");
    expect(kept(run.run_id, tester.asker)?.state).toBe("stored");
  });

  it("is not told to another key", async () => {
    const { find } = locating();
    const run = store.addRun({ owner: node });
    await find(run.run_id, tester);
    await expect(find(run.run_id, { asker: { onlyOwn: "other" } })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(find(run.run_id, { asker: { onlyOwn: "tester:x" } })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await find(run.run_id, { asker: { onlyOwn: null } })).state).toBe("live");
  });

  it("is kept for a while only, and for so many runs only", async () => {
    const short = locating({ keepMs: 0 });
    const run = store.addRun();
    await short.find(run.run_id, tester);
    await short.find(run.run_id, tester);
    expect(short.asked()).toBe(2);

    const few = locating({ maxKept: 2 });
    const runs = [store.addRun(), store.addRun(), store.addRun()];
    for (const { run_id } of runs) await few.find(run_id, tester);
    expect(runs.map(({ run_id }) => few.kept(run_id, tester.asker) !== null)).toEqual([false, true, true]);
  });

  it("waits for a change where that is wanted, and answers with what it is", async () => {
    const { ask } = locating();
    const run = store.addRun({ state: "queued" });
    const known = await ask(run.run_id, tester);
    const waiting = ask(run.run_id, { ...tester, known, waitS: 10 });
    while (node.seen.at(-1)?.url.includes("wait_s=10") !== true) await new Promise(setImmediate);
    store.update(run, { state: "live", owner: node });
    expect(await waiting).toMatchObject({ state: "live", node_id: node.node_id });
  });
});
