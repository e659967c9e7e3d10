/** A pool under steady load, broken again and again in every way that it should stand, in an order that CHAOS_SEED (default: the time) fixes. */
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pause } from "../../shared/deadline.ts";
import { openTestBucket } from "../support/bucket.ts";
import { openCable } from "../support/cable.ts";
import { judge, startLoad } from "../support/chaos-load.ts";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import { type AddedNode, openTestSystem, processesWith } from "../support/system.ts";
import { openTill } from "../support/till.ts";

const MINUTES = Number(process.env.CHAOS_MINUTES ?? "10");
const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
/** Over the 15 s after which a node is lost. */
const LOST_MS = 20_000;

/** mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

it.skipIf(postgresMissing !== null)(
  `stands ${MINUTES} minutes of faults (seed ${SEED}): every run ends once, nothing is lost, doubled, done twice or left over`,
  {
    timeout: MINUTES * 60_000 + 600_000,
  },
  async () => {
    await using opened = new AsyncDisposableStack();
    const postgres = opened.use(await startPostgres());
    const bucket = opened.use(await openTestBucket());
    const till = opened.use(await openTill());
    const databaseUrl = new URL(await postgres.createDatabase());
    const cable = opened.use(await openCable({ port: Number(databaseUrl.port) }));
    const env = {
      ...bucket.env,
      DATABASE_URL: databaseUrl.href,
      SECRETS_KEY: "0123456789abcdef0123456789abcdef",
      VOLUME_URL: bucket.url,
      POOL_SLOTS: "2",
      POOL_DRAIN_GRACE_S: "5",
      POOL_PRIVATE_NETWORKS: "127.0.0.1/32",
      LOG_LEVEL: "info",
    };
    const system = opened.use(await openTestSystem({ env })); // its own node and edge are left alone: somebody must judge
    databaseUrl.port = String(cable.port);
    const disk = await smallDisk(opened);
    const edge = await system.addEdge();
    const nodes: AddedNode[] = [
      await system.addNode({ ...env, DATABASE_URL: databaseUrl.href }), // its way to Postgres can be cut
      await system.addNode({ ...env, ...(disk && { DATA_DIR: disk, POOL_DISK_MIN_FREE_MB: "16" }) }),
    ];
    const random = randomOf(SEED);
    const any = () => Math.floor(random() * nodes.length);
    const load = startLoad({ clients: [system.as.writer, edge.writer], till, everyMs: 2_000 });

    const faults: Record<string, () => Promise<void>> = {
      async killed() {
        const i = any();
        const node = nodes[i] as AddedNode;
        await node.end("SIGKILL");
        await expect.poll(() => processesWith(node.chromeFolder), { timeout: 20_000 }).toEqual([]);
        if (random() < 0.5) await pause(LOST_MS);
        nodes[i] = await node.restart();
      },
      async ended() {
        const i = any();
        await (nodes[i] as AddedNode).end("SIGTERM");
        nodes[i] = await (nodes[i] as AddedNode).restart();
      },
      async frozen() {
        const node = nodes[any()] as AddedNode;
        node.process.kill("SIGSTOP");
        await pause(random() < 0.5 ? LOST_MS : 3_000);
        node.process.kill("SIGCONT");
      },
      async "cut off"() {
        cable.unplug();
        await pause(random() < 0.5 ? LOST_MS : 3_000);
        cable.mend();
      },
      connections: async () => cable.cut(),
      async postgres() {
        await (random() < 0.5 ? postgres.kill() : postgres.stop());
        await pause(random() * 8_000);
        await postgres.start();
      },
      async bucket() {
        await bucket.stop();
        await pause(random() * 10_000);
        await bucket.start();
      },
      async crashed() {
        const pids = await processesWith((nodes[any()] as AddedNode).chromeFolder);
        const pid = pids[Math.floor(random() * pids.length)];
        if (pid !== undefined) process.kill(pid, "SIGKILL");
      },
      ...(disk && {
        async "disk full"() {
          await writeFile(join(disk, "filler"), Buffer.alloc(DISK_MB * 1024 * 1024)).catch(() => {}); // until there is no room
          await pause(10_000);
          await rm(join(disk, "filler"), { force: true });
        },
      }),
    };

    const until = Date.now() + MINUTES * 60_000;
    const done: Record<string, number> = {};
    while (Date.now() < until) {
      const names = Object.keys(faults);
      const name = names[Math.floor(random() * names.length)] as string;
      done[name] = (done[name] ?? 0) + 1;
      await (faults[name] as () => Promise<void>)();
      await pause(random() * 5_000);
    }
    await load.end();
    const verdict = await judge(load, system.as.writer, till);
    console.log(`seed ${SEED}: ${load.accepted.length} runs, ${JSON.stringify(verdict)}, after ${JSON.stringify(done)}`);
    expect(Object.keys(verdict.outcomes).filter((outcome) => !EXPECTED.has(outcome))).toEqual([]);

    const dirs = [system.dataDir, ...nodes.map(({ dataDir }) => dataDir)];
    const left = async () => {
      const files = await Promise.all(dirs.flatMap((dir) => ["work", "outbox"].map((name) => readdir(join(dir, name)).catch(() => []))));
      const { nodes: all } = await system.as.admin.json<{
        nodes: { state: string; slots: { busy: number }; browsers: { busy: number } }[];
      }>("/pool/nodes");
      return {
        files: files.flat(),
        busy: all.filter(({ state }) => state !== "lost").map(({ slots, browsers }) => slots.busy + browsers.busy),
      };
    };
    await expect.poll(left, { timeout: 60_000 }).toEqual({ files: [], busy: [0, 0, 0] });
  },
);

/** A step fails where Chrome is killed at the wrong moment for its page alone; a node whose disk is full cannot set a run up. */
const EXPECTED = new Set([
  ...["completed", "failed NODE_LOST", "failed BROWSER_CRASHED", "failed STEP_FAILED", "failed SETUP_FAILED", "failed INTERNAL"],
  ...["terminated RUN_TERMINATED"],
]);
const DISK_MB = 256;

/** A file system of its own, which can be full; null where this process may not mount one. */
async function smallDisk(opened: AsyncDisposableStack): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), "us-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MB}m`, "tmpfs", folder], { stdio: "pipe" });
  } catch {
    await rm(folder, { recursive: true });
    return null;
  }
  opened.defer(async () => {
    execFileSync("umount", ["-l", folder]);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}
