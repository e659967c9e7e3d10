/**
 * (11) What a pool of many nodes costs its Postgres, on the real tables and by the real modules: nodes that idle, runs, the queue, queries over what has piled up.
 * `SCALE_PARTS=nodes,listeners,edges,dispatch,queries` takes some of it, `SCALE_DETAILS=true` shows the statements behind each number. docs/scale.md says what follows.
 */

import { createLog } from "../../edge/log.ts";
import { connectOnNode } from "../../edge/main-node-connect.ts";
import { Members } from "../../edge/nodes/members.ts";
import { openQueue } from "../../pool/queue/boss.ts";
import { claimNext, createRun } from "../../pool/queue/dispatch.ts";
import { endOverdueRuns } from "../../pool/queue/queue-clock.ts";
import { STOP_CHANNEL } from "../../pool/queue/stop.ts";
import { RUNS_CHANNEL } from "../../pool/store/changes.ts";
import { listRuns } from "../../pool/store/run-list.ts";
import { countQueued, settledBefore } from "../../pool/store/runs.ts";
import { migrate } from "../../pool/store/schema.ts";
import { openServer } from "../../pool/store/server.ts";
import type { Store } from "../../pool/store/sql.ts";
import { readRun } from "../../pool/store/to-run.ts";
import { pause } from "../../shared/deadline.ts";
import { newRunId } from "../../shared/ids.ts";
import { startPostgres } from "../support/postgres.ts";
import { CLOCK_LIMITS, claimant, quiet } from "../support/run-fixtures.ts";
import { idleFor, METERED, type Meter, openMeter, type Spent } from "./support/pg-meter.ts";
import { percentile } from "./support/pool.ts";
import { start } from "./support/processes.ts";
import { type BenchResult, median } from "./support/result.ts";
import type { SimNode } from "./support/sim-node.ts";
import { openSimPool, type SimPool } from "./support/sim-pool.ts";
import { simRun } from "./support/sim-run.ts";

/** Takes minutes: run when it is named. */
export const onRequest = true;

/** 400 with their simulator is what two cores can hold: beyond, read what one costs, times their number. */
const NODES = [10, 100, 400];
const LISTENERS = [10, 100, 1_000];
const IDLE_MS = 10_000;
const DAY_MS = 86_400_000;
const EDGE_NODES = [100, 1_000];
const POSTS = 5;
const NOTIFICATIONS = 100;
const LIVES = 40;
const QUEUED = 1_000;
const PILED_UP = { runs: 50_000, events: 20 };

const ROWS: string[][] = [["", "value"]];
const say = (what: string, value: string) => {
  ROWS.push([what, value]);
  console.log(`  ${what}: ${value}`);
};
const details = process.env.SCALE_DETAILS === "true";
function tell(spent: Spent): void {
  if (!details) return;
  console.log(
    `    ${spent.seconds.toFixed(1)} s, server ${spent.serverCpuMs} ms, own ${spent.ownCpuMs.toFixed(0)} ms, ${spent.calls} statements`,
  );
  for (const { text, calls, ms, rows } of spent.statements.slice(0, 14))
    console.log(
      `    ${ms.toFixed(0).padStart(7)} ms ${String(calls).padStart(7)} × ${String(rows).padStart(7)} rows  ${text.replaceAll(/\s+/g, " ").slice(0, 130)}`,
    );
}

type Deps = Parameters<typeof createRun>[0];

async function openDeps(store: Store): Promise<Deps & AsyncDisposable> {
  const queue = await openQueue({ store, log: quiet });
  return { store, queue, queueMax: 1_000_000, clockLimits: CLOCK_LIMITS, [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose]() };
}

/** What idle nodes cost, what a run that is queued sets off among them, and what a run costs beside them. */
async function manyNodes(url: string, meter: Meter, count: number): Promise<void> {
  const claimed = new Map<string, () => void>();
  const settled = new Map<string, () => void>();
  const told = (all: Map<string, () => void>, runId: string) => new Promise<void>((resolve) => all.set(runId, resolve));
  const startedAt = performance.now();
  await using pool: SimPool = await openSimPool(url, count, {
    ...{ slots: 2, workMs: 2_000 },
    onClaimed: (runId) => claimed.get(runId)?.(),
    onSettled: (runId) => settled.get(runId)?.(),
  });
  if (details) console.log(`    ${count} nodes after ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  await using deps = await openDeps(pool.store);
  await pause(12_000); // connections of the start are gone
  const idle = await meter.during(idleFor(IDLE_MS));
  tell(idle);
  const perSecond = (value: number) => value / idle.seconds / count;
  const connections = await meter.connections();
  say(`${count} idle nodes: statements a node a second`, perSecond(idle.calls).toFixed(2));
  say(`${count} idle nodes: server CPU a node`, `${perSecond(idle.serverCpuMs).toFixed(2)} ms/s`);
  say(`${count} idle nodes: connections`, String(connections));

  const looks = (spent: Spent) =>
    spent.statements.find(({ text }) => /UPDATE understudy_queue\.job/.test(text) && /SKIP LOCKED/.test(text))?.calls ?? 0;
  const waits: number[] = [];
  const posts: number[] = [];
  for (let i = 0; i < POSTS; i++) {
    const run = simRun();
    const done = told(claimed, run.run_id);
    const posted = await meter.during(async () => {
      const at = performance.now();
      await createRun(deps, run, { claimFor: null, idempotency: null });
      await done;
      waits.push(performance.now() - at);
      await pause(200); // who comes second looks too
    });
    posts.push(looks(posted));
    await pause(800);
  }
  say(`${count} idle nodes: looks at the queue after one queued run`, median(posts).toFixed(0));
  say(`${count} idle nodes: until it has its slot, median`, `${median(waits).toFixed(0)} ms`);

  const lives = await meter.during(async () => {
    const live = async (node: SimNode) => {
      const run = simRun();
      const done = told(settled, run.run_id);
      await node.worker.create(run, { key: run.run_id, digest: new Uint8Array(32) });
      await done;
    };
    for (let round = 0; round < LIVES / 20; round++) await Promise.all(pool.nodes.slice(0, 10).flatMap((node) => [live(node), live(node)]));
  });
  tell(lives);
  const more = (value: number, ofIdle: number) => (value - (ofIdle / idle.seconds) * lives.seconds) / LIVES;
  say(`${count} idle nodes: server CPU of a run's life beside them`, `${more(lives.serverCpuMs, idle.serverCpuMs).toFixed(1)} ms`);
}

/** What one notification costs where so many connections listen, whatever to. */
async function listeners(url: string, meter: Meter, count: number): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const stores: Store[] = [];
  opened.defer(async () => void (await Promise.all(stores.map((each) => each[Symbol.asyncDispose]()))));
  const open = async () => {
    const store = await openServer(url, quiet);
    stores.push(store);
    await store.listen(STOP_CHANNEL, () => {});
  };
  for (let i = 0; i < count; i += 10) await Promise.all(Array.from({ length: 10 }, open));
  const [store] = stores;
  await pause(1_000);
  const notified = await meter.during(async () => {
    for (let i = 0; i < NOTIFICATIONS; i++) {
      await store?.query(`SELECT pg_notify('${RUNS_CHANNEL}', $1)`, [newRunId()]); // nobody listens to this channel here
      await pause(50);
    }
  });
  say(`${count} listening connections: server CPU of one notification`, `${(notified.serverCpuMs / NOTIFICATIONS).toFixed(1)} ms`);
}

async function dispatch(url: string, meter: Meter): Promise<void> {
  await using store = await openServer(url, quiet);
  await using deps = await openDeps(store);
  const fill = async (count: number) => {
    for (let i = 0; i < count; i += 20)
      await Promise.all(Array.from({ length: 20 }, () => createRun(deps, simRun(), { claimFor: null, idempotency: null })));
  };
  const filled = await meter.during(() => fill(QUEUED));
  const last = (await listRuns(store, { limit: 1 }, null)).runs[0]?.run_id as string;
  tell(filled);
  say(
    `posts into a queue that grows to ${QUEUED}`,
    `${(QUEUED / filled.seconds).toFixed(0)}/s, server CPU ${(filled.serverCpuMs / QUEUED).toFixed(1)} ms each`,
  );
  await looks(`${QUEUED} runs wait`, [
    ["queue clock", () => endOverdueRuns(deps)],
    ["how many wait", () => countQueued(store)],
    ["GET /runs/{id} of one that waits", () => readRun(store, last)],
  ]);
  const took: number[] = [];
  const claims = await meter.during(async () => {
    let left = QUEUED;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (left-- > 0) {
          const at = performance.now();
          await claimNext(deps, claimant());
          took.push(performance.now() - at);
        }
      }),
    );
  });
  tell(claims);
  const latency = `p50 ${percentile(took, 0.5).toFixed(1)} ms, p95 ${percentile(took, 0.95).toFixed(1)} ms`;
  say(
    `claims from ${QUEUED} queued, 8 at a time`,
    `${(QUEUED / claims.seconds).toFixed(0)}/s, ${latency}, server CPU ${(claims.serverCpuMs / QUEUED).toFixed(1)} ms each`,
  );
  await store.query("TRUNCATE understudy.runs, understudy.events; DELETE FROM understudy_queue.job_common");

  await fill(QUEUED);
  const all = Promise.withResolvers<void>();
  let left = QUEUED;
  const before = await meter.bytes();
  const lives = await meter.during(async () => {
    await using _pool = await openSimPool(url, 8, { slots: 4, workMs: 0, onSettled: () => --left === 0 && all.resolve() });
    await all.promise;
  });
  tell(lives);
  const each = `server CPU ${(lives.serverCpuMs / QUEUED).toFixed(1)} ms, ${(lives.calls / QUEUED).toFixed(1)} statements, ${(lives.walBytes / QUEUED / 1024).toFixed(0)} KiB of log`;
  say(
    `whole lives of ${QUEUED} queued runs, 8 nodes of 4 slots`,
    `${(QUEUED / lives.seconds).toFixed(0)}/s = ${((QUEUED / lives.seconds) * 3600).toFixed(0)} an hour; a run: ${each}`,
  );
  say(
    "share of the simulator in the two cores",
    `${((lives.ownCpuMs / 1000 / lives.seconds) * 50).toFixed(0)} %, of the server ${((lives.serverCpuMs / 1000 / lives.seconds) * 50).toFixed(0)} %`,
  );
  const was = new Map(before.map(({ table, bytes }) => [table, bytes]));
  for (const { table, bytes, updates, hot } of await meter.bytes()) {
    if (bytes < 100_000) continue;
    const size = `${(bytes / QUEUED).toFixed(0)} bytes (${((was.get(table) ?? 0) / QUEUED).toFixed(0)} while queued)`;
    say(
      `table ${table}, a run, indexes included`,
      `${size}, ${(updates / QUEUED).toFixed(1)} updates, ${(hot / QUEUED).toFixed(1)} of them in place`,
    );
  }
}

/** Copies of the runs that are there, until there are so many. */
async function pileUp(store: Store): Promise<void> {
  const copies = Math.ceil(PILED_UP.runs / QUEUED);
  await store.query(
    `CREATE TEMP TABLE copies AS SELECT r.run_id AS old, gen_random_uuid() AS new, n FROM understudy.runs r, generate_series(1, ${copies}) n;
     INSERT INTO understudy.runs SELECT copy.* FROM copies c JOIN understudy.runs r ON r.run_id = c.old, jsonb_populate_record(r, jsonb_build_object(
       'run_id', c.new, 'created_at', r.created_at - n * interval '40 s', 'finished_at', r.finished_at - n * interval '40 s')) copy;
     INSERT INTO understudy.events SELECT c.new, e.id, e.event FROM copies c JOIN understudy.events e ON e.run_id = c.old WHERE e.id <= ${PILED_UP.events};
     DROP TABLE copies`,
  );
  await store.query("VACUUM ANALYZE understudy.runs");
  await store.query("VACUUM ANALYZE understudy.events");
}

/** What an edge spends on knowing its nodes: it asks each once a second how it is. */
async function edges(count: number): Promise<void> {
  await using nodes = await start(
    process.execPath,
    [new URL("./support/many-nodes.ts", import.meta.url).pathname, String(count)],
    {},
    /(http:\/\/\S+)/,
  );
  await using members = new Members({ seeds: [nodes.said], token: "bench", connect: connectOnNode, log: createLog("silent") });
  while (members.everyone().filter(({ answers }) => answers).length < count) await pause(100);
  await pause(2_000);
  const [before, at] = [process.cpuUsage(), performance.now()];
  await pause(IDLE_MS);
  const { user, system } = process.cpuUsage(before);
  const share = (user + system) / 1_000 / (performance.now() - at);
  say(`an edge with ${count} nodes: of one core`, `${(share * 100).toFixed(0)} %`);
}

/** How long each takes, alone on the server, median of five. */
async function looks(when: string, all: [string, () => Promise<unknown>][]): Promise<void> {
  for (const [what, look] of all) {
    await look();
    const took: number[] = [];
    for (let i = 0; i < 5; i++) {
      const at = performance.now();
      await look();
      took.push(performance.now() - at);
    }
    say(`${what}, ${when}`, `${median(took).toFixed(1)} ms`);
  }
}

async function queries(url: string): Promise<void> {
  await using store = await openServer(url, quiet);
  await pileUp(store);
  await using deps = await openDeps(store);
  const [run] = await store.query<{ run_id: string }>("SELECT run_id FROM understudy.runs LIMIT 1", []);
  await looks(`${PILED_UP.runs} runs, ${PILED_UP.runs * PILED_UP.events} events`, [
    ["GET /runs/{id}", () => readRun(store, run?.run_id as string)],
    ["GET /runs", () => listRuns(store, { limit: 50 }, null)],
    ["GET /runs?status=failed, of which there are none", () => listRuns(store, { limit: 50, status: "failed" }, null)],
    ["GET /runs?label=team=other, of which there are none", () => listRuns(store, { limit: 50, label: "team=other" }, null)],
    ["retention: which are old", () => settledBefore(store, new Date(Date.now() - 30 * DAY_MS), 100)],
    ["claim of an empty queue", () => claimNext(deps, claimant())],
  ]);
}

export async function bench(): Promise<BenchResult> {
  await using postgres = await startPostgres({ settings: METERED });
  const onFresh = async (work: (url: string, meter: Meter) => Promise<void>) => {
    const url = await postgres.createDatabase();
    {
      await using store = await openServer(url, quiet);
      await migrate(store);
    }
    await using meter = await openMeter(url, postgres.pid);
    await work(url, meter);
  };
  const wanted = process.env.SCALE_PARTS?.split(",") ?? ["nodes", "listeners", "edges", "dispatch", "queries"];
  if (wanted.includes("nodes")) for (const count of NODES) await onFresh((url, meter) => manyNodes(url, meter, count));
  if (wanted.includes("listeners")) for (const count of LISTENERS) await onFresh((url, meter) => listeners(url, meter, count));
  if (wanted.includes("edges")) for (const count of EDGE_NODES) await edges(count);
  if (wanted.includes("dispatch") || wanted.includes("queries"))
    await onFresh(async (url, meter) => {
      await dispatch(url, meter);
      if (wanted.includes("queries")) await queries(url); // over copies of the runs that were dispatched
    });
  return { title: "One Postgres under many nodes", notes: ["Server and simulator share the machine's cores."], table: ROWS, aims: [] };
}
