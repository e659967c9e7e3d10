import { expect, it } from "vitest";
import { forgetLostNodes, joinNodes, listNodes, type Membership } from "../../pool/store/nodes.ts";
import { MemberSchema, type NodeInfo } from "../../shared/node.ts";
import { quiet } from "../support/run-fixtures.ts";
import { eachStore } from "../support/store.ts";

const info = (more: Partial<NodeInfo> = {}): NodeInfo => ({
  node_id: "node-a",
  boot_id: "boot-1",
  url: "http://127.0.0.1:7070",
  state: "ready",
  slots: { total: 2, busy: 0 },
  queued: 0,
  browsers: { warm: 1, busy: 0 },
  load: 0.5,
  tier: "sandbox",
  version: "0.1.0",
  started_at: "2026-01-01T00:00:00.000Z",
  ...more,
});
const unfenced = () => {
  throw new Error("fenced");
};

eachStore("the members of the pool", (opened) => {
  it("are shown as they last told, and are gone when they leave in order", async () => {
    const { store } = opened();
    let state: NodeInfo["state"] = "ready";
    const a = await joinNodes({ store, info: () => info({ state }), onFenced: unfenced, log: quiet });
    {
      await using _b = await joinNodes({ store, info: () => info({ node_id: "node-b" }), onFenced: unfenced, log: quiet });
      state = "draining";
      await a.beat();
      const members = await listNodes(store);
      expect(members.map(({ node_id, state }) => [node_id, state])).toEqual([
        ["node-a", "draining"],
        ["node-b", "ready"],
      ]);
      for (const member of members) MemberSchema.parse(member);
    }
    expect((await listNodes(store)).map(({ node_id }) => node_id)).toEqual(["node-a"]);
    await a[Symbol.asyncDispose]();
    expect(await listNodes(store)).toEqual([]);
  });

  it("are lost when they have not been heard of, and forgotten after a while", async () => {
    const { store } = opened();
    await using node = await joinNodes({ store, info, onFenced: unfenced, log: quiet, beatMs: 3_600_000 });
    await store.query("UPDATE understudy.nodes SET last_seen_at = now() - interval '16 seconds'");
    expect(await listNodes(store)).toMatchObject([{ state: "lost" }]);
    await forgetLostNodes(store);
    expect(await listNodes(store)).toHaveLength(1);
    await store.query("UPDATE understudy.nodes SET last_seen_at = now() - interval '2 hours'");
    await forgetLostNodes(store);
    expect(await listNodes(store)).toEqual([]);
    await node.beat(); // it lives after all
    expect(await listNodes(store)).toMatchObject([{ state: "ready" }]);
  });

  it("beat by themselves", async () => {
    const { store } = opened();
    let beats = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const counted = () => {
      beats += 1;
      if (beats === 5) resolve();
      return info();
    };
    await using _node = await joinNodes({ store, info: counted, onFenced: unfenced, log: quiet, beatMs: 5 });
    await promise;
  });

  it("learn once that another boot has taken their place, and do not take it back", async () => {
    const { store } = opened();
    const { promise: fenced, resolve } = Promise.withResolvers<void>();
    let times = 0;
    await using old = await joinNodes({
      store,
      info,
      onFenced: () => {
        times += 1;
        resolve();
      },
      log: quiet,
      beatMs: 5,
    });
    await using _young = await joinNodes({ store, info: () => info({ boot_id: "boot-2" }), onFenced: unfenced, log: quiet });
    await fenced;
    await old.beat();
    expect(times).toBe(1);
    await old[Symbol.asyncDispose]();
    expect(await listNodes(store)).toMatchObject([{ boot_id: "boot-2" }]); // leaving, the old one leaves the young one's row alone
  });

  it("have five on duty for the whole pool, and the next in line when one of those falls silent or leaves", async () => {
    const { store } = opened();
    const ids = ["a", "b", "c", "d", "e", "f", "g"];
    const join = (id: string) =>
      joinNodes({ store, info: () => info({ node_id: id, boot_id: id }), onFenced: unfenced, log: quiet, beatMs: 3_600_000 });
    await using members = new AsyncDisposableStack();
    const nodes = new Map<string, Membership>();
    for (const id of ids.toReversed()) nodes.set(id, members.use(await join(id))); // each as it joins is the first in line
    const onDuty = async () => {
      for (let beats = 0; beats < 2; beats += 1) for (const node of nodes.values()) await node.beat(); // who comes on duty does so at its second
      return ids.filter((id) => nodes.get(id)?.isOnDuty()).join("");
    };
    expect(await onDuty()).toBe("abcde");
    await nodes.get("b")?.[Symbol.asyncDispose]();
    nodes.delete("b");
    expect(await onDuty()).toBe("acdef");
    nodes.delete("c"); // its process hangs
    await store.query("UPDATE understudy.nodes SET last_seen_at = now() - interval '6 seconds' WHERE node_id = 'c'");
    expect(await onDuty()).toBe("adefg");
    await store.query("UPDATE understudy.nodes SET last_seen_at = now() - interval '6 seconds'"); // the store stood still
    for (const node of nodes.values()) await node.beat();
    expect(ids.filter((id) => nodes.get(id)?.isOnDuty()).join("")).toBe("adefg");
  });
});
