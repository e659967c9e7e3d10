/** Three nodes on one Postgres and one bucket, behind two edges: any of them answers for every run, and nothing that breaks loses one. `test/soak` does so for longer. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuditPage, Health, ScaleIn, Sessions } from "../../shared/admin.ts";
import { pause } from "../../shared/deadline.ts";
import { API_KEY_NAME_HEADER, type NodeInfo } from "../../shared/node.ts";
import type { RunCreated } from "../../shared/run.ts";
import { openTestBucket, type TestBucket } from "../support/bucket.ts";
import { type Cable, openCable } from "../support/cable.ts";
import { judge, startLoad } from "../support/chaos-load.ts";
import type { Client } from "../support/client.ts";
import { openLogin, waitForever } from "../support/playbooks.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { type AddedNode, openTestSystem, processesWith, type TestSystem } from "../support/system.ts";
import { openTill, type Till } from "../support/till.ts";

type Browsers = {
  browsers: { browser_id: string; run_id: string | null; memory_bytes: number; cpu_s: number; age_s: number }[];
  missing_nodes: string[];
};
type Nodes = { nodes: { node_id: string; url: string; state: string; slots: { busy: number } }[] };

const POLL = { timeout: 25_000, interval: 50 };

describe.skipIf(postgresMissing !== null)("three nodes on one Postgres", () => {
  const opened = new AsyncDisposableStack();
  let postgres: TestPostgres;
  let bucket: TestBucket;
  let till: Till;
  let cable: Cable;
  let system: TestSystem;
  let second: AddedNode;
  let third: AddedNode;
  /** The same key at the other edge. */
  let elsewhere: Client;
  /** Breaks the connection on which each node hears of what others do; says how many there were. */
  let cutListeners: () => Promise<number | null>;

  beforeAll(async () => {
    postgres = opened.use(await startPostgres());
    bucket = opened.use(await openTestBucket());
    till = opened.use(await openTill());
    const databaseUrl = new URL(await postgres.createDatabase());
    const asOperator = opened.adopt(new pg.Client(databaseUrl.href), (client) => client.end());
    asOperator.on("error", () => {}); // the server is restarted under it
    await asOperator.connect();
    cutListeners = async () => {
      const { rowCount } = await asOperator.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'understudy-listen'",
      );
      return rowCount;
    };
    cable = opened.use(await openCable({ port: Number(databaseUrl.port) }));
    const env = {
      ...bucket.env,
      DATABASE_URL: databaseUrl.href,
      SECRETS_KEY: "0123456789abcdef0123456789abcdef",
      VOLUME_URL: bucket.url,
      POOL_SLOTS: "1",
      POOL_DRAIN_GRACE_S: "1",
      POOL_PRIVATE_NETWORKS: "127.0.0.1/32",
    };
    system = opened.use(await openTestSystem({ env, runtime: "deno" }));
    databaseUrl.port = String(cable.port);
    const [node, more, edge] = await Promise.all([
      system.addNode({ ...env, DATABASE_URL: databaseUrl.href }), // its way to Postgres can be cut
      system.addNode(env),
      system.addEdge(),
    ]);
    [second, third, elsewhere] = [node, more, edge.writer];
  });
  afterAll(() => opened.disposeAsync());

  const nodeIdOf = async ({ url }: { url: string }) =>
    (await system.as.admin.json<Nodes>("/pool/nodes")).nodes.find((node) => node.url === url)?.node_id ?? "";
  const forever = async (retries: number) => {
    const { run_id } = await system.as.writer.create({ ...waitForever(system.dashboard.url), retries });
    await system.as.writer.until(run_id, ({ event }) => event.type === "action");
    return run_id;
  };

  it("the edge learns of all from the first, and each takes a run", async () => {
    const { writer } = system.as;
    const runs = [await forever(0), await forever(0), await forever(0)];
    const owners = await Promise.all(runs.map(async (run_id) => (await elsewhere.read(run_id)).node_id));
    expect(new Set(owners).size).toBe(3);
    for (const run_id of runs) expect(await writer.stop(run_id)).toEqual({ run_id, status: "terminated" });
  });

  it("a drained one takes no run, and the others do", async () => {
    const { admin, writer } = system.as;
    const away = await nodeIdOf(second);
    await admin.json(`/pool/nodes/${away}/drain`, { method: "POST" });
    await expect // the runs before have ended; their Chromes may be on their way out yet
      .poll(async () => {
        const { node_id, busy } = await admin.json<ScaleIn>("/pool/scale-in");
        return [busy, node_id === away || node_id === null];
      }, POLL)
      .toEqual([0, false]);
    const { run_id } = await writer.create(openLogin(system.dashboard.url));
    const { run } = await elsewhere.finished(run_id);
    expect([run.status, run.node_id === away]).toEqual(["completed", false]);
    await admin.json(`/pool/nodes/${away}/resume`, { method: "POST" });
  });

  it("those whose ears for one another are cut off take what one has no slot for all the same", async () => {
    const { writer } = system.as;
    const headers = { Authorization: `Bearer ${system.token}`, [API_KEY_NAME_HEADER]: "writer", "Content-Type": "application/json" };
    const ask = async <T>(path: string, init: RequestInit = {}) =>
      (await (await fetch(system.node.url + path, { ...init, headers })).json()) as T;
    const postAt = (body: object) => ask<RunCreated>("/runs", { method: "POST", body: JSON.stringify(body) });
    await expect.poll(async () => (await ask<NodeInfo>("/node")).slots.busy, POLL).toBe(0);
    const holding = await postAt(waitForever(system.dashboard.url));
    await writer.until(holding.run_id, ({ event }) => event.type === "action");
    expect(await cutListeners()).toBe(3);
    const { run_id, status } = await postAt(openLogin(system.dashboard.url));
    expect(status).toBe("queued");
    const { run } = await writer.finished(run_id);
    expect(run.status).toBe("completed");
    expect(run.node_id).not.toBe((await writer.read(holding.run_id)).node_id);
    await writer.stop(holding.run_id);
  });

  it("an operator sees runs, browsers and the queue, ends what must end, and all of that is written down", async () => {
    const { admin, writer } = system.as;
    const [bystander, crashing, killed] = await Promise.all([forever(0), forever(1), forever(0)]);
    const queued = (await writer.create({ ...openLogin(system.dashboard.url), priority: 7 })).run_id;
    expect(await admin.json("/pool/queue")).toMatchObject({
      queued: 1,
      runs: [{ run_id: queued, position: 1, priority: 7, api_key_name: "writer" }],
    });
    const { sessions } = await admin.json<Sessions>("/pool/sessions");
    expect(sessions.map(({ run_id }) => run_id).toSorted()).toEqual([bystander, crashing, killed].toSorted());
    const session = sessions.find(({ run_id }) => run_id === killed);
    expect(await admin.json(`/pool/sessions/${killed}`)).toMatchObject({
      run_id: killed,
      status: "running",
      attempt: 1,
      node_id: session?.node_id,
    });

    const { browsers, missing_nodes } = await admin.json<Browsers>("/pool/browsers");
    expect(missing_nodes).toEqual([]);
    const ofCrashing = browsers.find(({ run_id }) => run_id === crashing)?.browser_id as string;
    const browser = await admin.json<Browsers["browsers"][number]>(`/pool/browsers/${ofCrashing}`);
    expect(browser).toMatchObject({ browser_id: ofCrashing, state: "busy", run_id: crashing });
    expect([browser.memory_bytes > 20e6, browser.cpu_s > 0.05, browser.age_s > 0]).toEqual([true, true, true]);

    expect(await admin.json(`/pool/sessions/${queued}/kill`, { method: "POST" })).toEqual({ run_id: queued, status: "terminated" });
    expect(await admin.json(`/pool/sessions/${killed}/kill`, { method: "POST" })).toEqual({ run_id: killed, status: "terminated" });
    for (const ended of [queued, killed]) expect((await writer.read(ended)).error?.details).toEqual({ reason: "killed" });
    const again = writer.until(crashing, ({ event }) => event.type === "status" && event.attempt === 2 && event.status === "running");
    await admin.json(`/pool/browsers/${ofCrashing}/kill`, { method: "POST" });
    await again;

    const { node_id } = session as { node_id: string };
    const health = await admin.json<Health>(`/pool/nodes/${node_id}/health`);
    expect(health).toMatchObject({ node_id, healthy: true, error: null });
    expect(await admin.json(`/pool/nodes/${node_id}/health`)).toEqual(health); // kept for a while
    for (const run_id of [bystander, crashing]) await writer.stop(run_id);

    const { entries } = await admin.json<AuditPage>("/pool/audit?limit=3");
    expect(entries.map(({ key_name, action, target }) => [key_name, action, target])).toEqual([
      ["admin", "kill_browser", ofCrashing],
      ["admin", "kill_session", killed],
      ["admin", "kill_session", queued],
    ]);
    const older = await admin.json<AuditPage>(`/pool/audit?before=${entries.at(-1)?.id}`);
    expect(older.entries.map(({ action }) => action)).toEqual(["resume", "drain"]);
    for (const path of ["/pool/audit", "/pool/sessions", "/pool/queue", "/pool/scale-in"])
      expect((await writer.call(path)).status).toBe(403);
  });

  it("one is killed, one frozen, Postgres and the bucket restarted, under load: every run ends once, and nothing is lost, doubled, done twice or left over", {
    timeout: 180_000, // most of it is the 15 s after which a node is lost, and as many Chromes as the load needs
  }, async () => {
    const { writer, admin } = system.as;
    const held = await Promise.all([forever(1), forever(1), forever(1)]);
    const byNode = new Map(await Promise.all(held.map(async (run_id) => [(await writer.read(run_id)).node_id, run_id] as const)));
    const [onSecond, onThird] = await Promise.all([second, third].map(async (node) => byNode.get(await nodeIdOf(node)) as string));
    await writer.stop(held.find((run_id) => run_id !== onSecond && run_id !== onThird) as string);

    const load = startLoad({ clients: [writer, elsewhere], till, everyMs: 1_500 });
    while (load.accepted.length < 2) await pause(20);
    await postgres.kill();
    await bucket.stop();
    cable.cut();
    await postgres.start();
    await bucket.start();

    const following = writer.until(
      onThird as string,
      ({ event }) => event.type === "status" && event.attempt === 2 && event.status === "running",
    );
    following.catch(() => {}); // heard below
    second.process.kill("SIGSTOP");
    await third.end("SIGKILL");
    await expect.poll(() => processesWith(third.chromeFolder), { timeout: 20_000 }).toEqual([]); // the life-line of its Chromes
    const ended = load.end();
    const lost = async () => (await admin.json<Nodes>("/pool/nodes")).nodes.filter(({ state }) => state === "lost").length;
    await expect.poll(lost, { timeout: 40_000 }).toBe(2);
    await expect.poll(async () => (await writer.read(onSecond as string)).attempt, { timeout: 40_000 }).toBe(2);
    second.process.kill("SIGCONT");
    await following;
    for (const run_id of [onSecond, onThird] as string[]) {
      await writer.stop(run_id);
      const { run, events } = await elsewhere.finished(run_id);
      expect(run).toMatchObject({ status: "terminated", attempt: 2, earlier_attempts: [{ attempt: 1, error: { code: "NODE_LOST" } }] });
      expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1));
    }
    await ended;
    const { outcomes } = await judge(load, writer, till);
    expect(Object.keys(outcomes).filter((outcome) => !["completed", "failed NODE_LOST"].includes(outcome))).toEqual([]);
    await quiet();
  });

  /** Nothing is in hand on the nodes that live, and nothing of any is left. */
  async function quiet(): Promise<void> {
    const left = async () => {
      const folders = await Promise.all([system.dataDir, second.dataDir].map((dir) => readdir(join(dir, "work")).catch(() => [])));
      const outbox = await Promise.all([system.dataDir, second.dataDir].map((dir) => readdir(join(dir, "outbox")).catch(() => [])));
      const { nodes } = await system.as.admin.json<Nodes>("/pool/nodes");
      const busy = nodes.filter(({ state }) => state !== "lost").map(({ slots }) => slots.busy);
      return JSON.stringify({ folders: folders.flat(), outbox: outbox.flat(), busy });
    };
    await expect.poll(left, { timeout: 30_000 }).toBe(JSON.stringify({ folders: [], outbox: [], busy: [0, 0] }));
  }
});
