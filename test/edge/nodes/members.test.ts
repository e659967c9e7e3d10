import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { createLog } from "../../../edge/log.ts";
import { connectOnNode } from "../../../edge/main-node-connect.ts";
import { Members, type MembersOptions } from "../../../edge/nodes/members.ts";
import { status } from "../../support/stand-in-faults.ts";
import { POOL_TOKEN, StandInNode, StandInStore } from "../../support/stand-in-node.ts";

const membersOf = (seeds: string[], options: Partial<MembersOptions> = {}) =>
  new Members({ seeds, token: POOL_TOKEN, connect: connectOnNode, log: createLog("silent"), refreshMs: 20, ...options });
const urls = (members: Members) =>
  members
    .everyone()
    .map(({ client }) => client.url)
    .sort();

/** Resolves once it holds, looking again after each refresh of the node. */
async function until(node: StandInNode, holds: () => boolean): Promise<void> {
  while (!holds()) await once(node, "opened");
}

describe("the members", () => {
  it("are the seeds and those whom they name, each once", async () => {
    const store = new StandInStore();
    await using a = await StandInNode.start({ store });
    await using b = await StandInNode.start({ store });
    await using members = membersOf([a.url]);
    await until(a, () => members.everyone().length === 2);
    await until(b, () => b.count("node") > 3);
    expect(urls(members)).toEqual([a.url, b.url].sort());
  });

  it("are not doubled by a node that names itself by another URL than its seed", async () => {
    await using node = await StandInNode.start();
    const seed = node.url.replace("127.0.0.1", "localhost");
    await using members = membersOf([seed]);
    await until(node, () => node.count("node") > 5);
    expect(urls(members)).toEqual([seed]);
  });

  it("are used by URLs of the web only", async () => {
    const store = new StandInStore();
    await using a = await StandInNode.start({ store });
    await using b = await StandInNode.start({ store, info: { url: "file:///etc/passwd" } });
    await using members = membersOf([a.url]);
    await until(a, () => a.count("nodes") > 2);
    expect(urls(members)).toEqual([a.url]);
    expect(b.count("node")).toBe(0);
  });

  it("do not include a lost one, and forget one that was silent for long, but never a seed", async () => {
    const store = new StandInStore();
    await using a = await StandInNode.start({ store });
    await using b = await StandInNode.start({ store });
    await using members = membersOf([a.url, "http://127.0.0.1:1"], { forgetMs: 100 });
    await until(a, () => members.everyone().some(({ client, answers }) => client.url === b.url && answers));
    await b.refuse();
    store.nodes.splice(store.nodes.indexOf(b), 1);
    await until(a, () => members.everyone().length === 2);
    expect(urls(members)).toEqual(["http://127.0.0.1:1", a.url].sort());
    expect(members.everyone()[0]?.client.url).toBe(a.url);
  });

  it("find a node that comes back", async () => {
    await using node = await StandInNode.start();
    await using members = membersOf([node.url]);
    await members.ready();
    expect(members.everyone()[0]?.answers).toBe(true);
    await node.refuse();
    while (members.everyone()[0]?.answers) await new Promise((resolve) => setTimeout(resolve, 5));
    await node.accept();
    await until(node, () => members.everyone()[0]?.answers === true);
  });

  it("are complained of sooner when they have answered before than while they may just be starting, once each time", async () => {
    const store = new StandInStore();
    await using known = await StandInNode.start({ store });
    await using clock = await StandInNode.start({ store });
    const told: string[] = [];
    const log = createLog("info", (line) => void told.push(`${JSON.parse(line).message} ${JSON.parse(line).url}`));
    await using members = membersOf([known.url, clock.url, "http://127.0.0.1:1"], { log });
    await members.ready();
    await known.refuse();
    await until(clock, () => told.length === 2);
    await known.accept();
    await until(known, () => told.length === 3);
    expect(told).toEqual([
      `A node does not answer ${known.url}`,
      "A node does not answer http://127.0.0.1:1",
      `A node answers again ${known.url}`,
    ]);
  });

  it("know a node that has moved to another address by that, and leave the old one", async () => {
    const store = new StandInStore();
    await using old = await StandInNode.start({ store, info: { node_id: "moved" } });
    await using members = membersOf([old.url], { refreshMs: 60_000 });
    await members.ready();
    await using moved = await StandInNode.start({ store, info: { node_id: "moved" } });
    expect(members.find("moved", moved.url)?.client.url).toBe(old.url); // as it still answers there
    await old.refuse();
    const gone = members.everyone().find(({ client }) => client.url === old.url);
    if (gone) gone.answers = false;
    expect(members.find("moved", moved.url)?.client.url).toBe(moved.url);
    expect(members.find("moved", null)?.client.url).toBe(old.url);
  });

  it("keep a node that has moved away from a seed, refresh after refresh", async () => {
    const store = new StandInStore();
    await using seed = await StandInNode.start({ store, info: { node_id: "moved" } });
    await using other = await StandInNode.start({ store });
    await using members = membersOf([seed.url, other.url]);
    await until(other, () => seed.count("node") > 1);
    await seed.refuse();
    store.nodes.splice(store.nodes.indexOf(seed), 1);
    await using moved = await StandInNode.start({ store, info: { node_id: "moved" } });
    await until(moved, () => moved.count("node") > 0);
    const client = members.find("moved", moved.url)?.client;
    await until(moved, () => moved.count("node") > 4);
    expect(members.find("moved", moved.url)?.client).toBe(client);
    expect(urls(members)).toEqual([seed.url, other.url, moved.url].sort());
  });

  it("count a node that answers with something else as one that does not answer", async () => {
    await using node = await StandInNode.start();
    node.faults.set("node", status(200, '{"node_id":1}'));
    await using members = membersOf([node.url]);
    await members.ready();
    expect(members.everyone()[0]?.answers).toBe(false);
  });
});

describe("a new run", () => {
  it("goes first to who takes runs, has a slot, a warm browser, a short queue and little load, in this order of weight", async () => {
    const store = new StandInStore();
    await using stack = new AsyncDisposableStack();
    const start = async (info: StandInNode["info"]) => stack.use(await StandInNode.start({ store, info }));
    const free = { total: 2, busy: 1 };
    const full = { total: 2, busy: 2 };
    const best = await start({ slots: free, browsers: { warm: 1, busy: 1 }, load: 0.1 });
    const loaded = await start({ slots: free, browsers: { warm: 1, busy: 1 }, load: 2 });
    const cold = await start({ slots: free, browsers: { warm: 0, busy: 1 }, load: 0 });
    const short = await start({ slots: full, browsers: { warm: 1, busy: 2 }, queued: 1 });
    const long = await start({ slots: full, browsers: { warm: 1, busy: 2 }, queued: 9 });
    const draining = await start({ state: "draining", slots: { total: 9, busy: 0 }, browsers: { warm: 9, busy: 0 } });
    const order = [best, loaded, cold, short, long, draining].map(({ url }) => url);
    await using members = membersOf([...order].reverse(), { refreshMs: 60_000 });
    await members.ready();
    expect(members.forNewRun().map(({ client }) => client.url)).toEqual(order);
  });

  it("is spread over equal nodes, and counts what was sent since a node last told", async () => {
    const store = new StandInStore();
    await using a = await StandInNode.start({ store });
    await using b = await StandInNode.start({ store });
    await using members = membersOf([a.url, b.url], { refreshMs: 60_000 });
    await members.ready();
    const first = new Set(Array.from({ length: 50 }, () => members.forNewRun()[0]?.client.url));
    expect(first.size).toBe(2);
    for (let sent = 0; sent < 8; sent++) {
      const node = members.forNewRun()[0];
      if (node) node.sentSince++;
    }
    expect(members.everyone().map(({ sentSince }) => sentSince)).toEqual([4, 4]);
  });
});
