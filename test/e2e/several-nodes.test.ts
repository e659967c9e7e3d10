/** Two nodes on one Postgres, behind an edge on Deno: either answers for every run, and one that dies loses no run. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLogin, waitForever } from "../support/playbooks.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { openTestSystem, type Started, type TestSystem } from "../support/system.ts";

type Nodes = { nodes: { node_id: string; url: string; state: string }[] };

describe.skipIf(postgresMissing !== null)("two nodes on one Postgres", () => {
  let postgres: TestPostgres;
  let volume: string;
  let system: TestSystem;
  let second: Started;

  beforeAll(async () => {
    postgres = await startPostgres();
    volume = await mkdtemp(join(tmpdir(), "us-volume-"));
    const env = {
      DATABASE_URL: await postgres.createDatabase(),
      SECRETS_KEY: "0123456789abcdef0123456789abcdef",
      VOLUME_URL: `file:${volume}`,
      POOL_SLOTS: "1",
    };
    system = await openTestSystem({ env, runtime: "deno" });
    second = await system.addNode(env);
  });
  afterAll(async () => {
    await system?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
    await rm(volume, { recursive: true, force: true });
  });

  const forever = async () => {
    const { run_id } = await system.as.writer.create(waitForever(system.dashboard.url));
    await system.as.writer.until(run_id, ({ event }) => event.type === "action");
    return run_id;
  };

  it("the edge learns of the second from the first, and each takes a run", async () => {
    const { admin, writer } = system.as;
    const runs = [await forever(), await forever()];
    const owners = await Promise.all(runs.map(async (run_id) => (await writer.read(run_id)).node_id));
    expect(new Set(owners).size).toBe(2);
    expect((await admin.json<Nodes>("/pool/nodes")).nodes).toHaveLength(2);
    for (const run_id of runs) expect(await writer.stop(run_id)).toEqual({ run_id, status: "terminated" });
  });

  it("a drained one takes no run, and the other does", async () => {
    const { admin, writer } = system.as;
    const { nodes } = await admin.json<Nodes>("/pool/nodes");
    const away = nodes.find(({ url }) => url === second.url)?.node_id ?? "";
    await admin.json(`/pool/nodes/${away}/drain`, { method: "POST" });
    const { run_id } = await writer.create(openLogin(system.dashboard.url));
    const { run } = await writer.finished(run_id);
    expect([run.status, run.node_id === away]).toEqual(["completed", false]);
    await admin.json(`/pool/nodes/${away}/resume`, { method: "POST" });
  });

  it("when one is killed, its run ends as NODE_LOST by the other's watch, its client's stream with complete", {
    timeout: 60_000,
  }, async () => {
    const { writer } = system.as;
    const runs = [await forever(), await forever()];
    const owners = await Promise.all(runs.map(async (run_id) => (await writer.read(run_id)).node_id));
    const { nodes } = await system.as.admin.json<Nodes>("/pool/nodes");
    const dying = nodes.find(({ url }) => url === second.url)?.node_id;
    const lost = runs[owners.indexOf(dying ?? null)] as string;
    const kept = runs.find((run_id) => run_id !== lost) as string;
    const following = writer.finished(lost);
    await second.end("SIGKILL");
    const { run, events } = await following;
    expect(run).toMatchObject({ status: "failed", error: { code: "NODE_LOST" }, recording: { state: "lost" } });
    expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1));
    const trace = await writer.call(`/runs/${lost}/recording/trace`);
    expect([trace.status, await trace.json()]).toMatchObject([404, { error: { details: { reason: "node_lost" } } }]);
    expect((await writer.read(kept)).status).toBe("running");
    await writer.stop(kept);
  });
});
