/** Hundreds of runs on two slots: all end, none twice, and what the node holds goes back to where it began. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pause } from "../../shared/deadline.ts";
import { openLogin, waitForever } from "../support/playbooks.ts";
import { openTestSystem, processesWith, type TestSystem } from "../support/system.ts";

const MB = 1024 * 1024;

async function rssMb(pid: number): Promise<number> {
  const [, kb = "0"] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return (Number(kb) * 1024) / MB;
}

type Nodes = { nodes: { slots: { busy: number }; browsers: { warm: number; busy: number } }[] };

/** Waits until no run is left on the node, and only its spare. */
async function untilQuiet({ as }: TestSystem): Promise<void> {
  for (;;) {
    const { nodes } = await as.admin.json<Nodes>("/pool/nodes");
    if (nodes.every(({ slots, browsers }) => slots.busy === 0 && browsers.busy === 0 && browsers.warm === 1)) return;
    await pause(100);
  }
}

async function held(system: TestSystem): Promise<{ chromes: number; folders: number; staged: number; networks: number; fds: number }> {
  const links = await openLinks(system.node.process.pid ?? 0);
  const networks = links.filter((link) => link.startsWith("net:[")).length; // of Chromes, and kept for the next ones
  return {
    chromes: (await processesWith(system.chromeFolder)).length,
    folders: (await readdir(system.chromeFolder)).length,
    staged: (await system.leftovers()).length,
    networks,
    // The store's files aside: the embedded Postgres opens one more for each table and index that comes into use, and keeps it.
    fds: links.filter((link) => !link.startsWith(join(system.dataDir, "store"))).length - 3 * networks,
  };
}

/** What a process has open. */
async function openLinks(pid: number): Promise<string[]> {
  const links = (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => [])); // closed meanwhile
  return (await Promise.all(links)).flat();
}

const medianOf = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

it("ends 200 runs that are posted at once on 2 slots: all, none twice, logs never mixed, memory flat", async () => {
  await using system = await openTestSystem({ env: { LOG_LEVEL: "warn" } });
  const { writer } = system.as;
  const pid = system.node.process.pid ?? 0;
  const created = await Promise.all(
    Array.from({ length: 200 }, (_, i) => writer.create({ ...openLogin(system.dashboard.url), labels: { n: String(i) } })),
  );
  const memory: number[] = [];
  for (const [i, { run_id }] of created.entries()) {
    const { run, events } = await writer.finished(run_id);
    expect([i, run.status]).toEqual([i, "completed"]);
    expect(run.labels).toEqual({ n: String(i) });
    expect(events.filter(({ event }) => event.type === "status" && event.status === "starting")).toHaveLength(1);
    expect(events.map(({ id }) => id)).toEqual(events.map((_, n) => n + 1));
    memory.push(await rssMb(pid));
  }
  await untilQuiet(system);
  for (const { run_id } of created) {
    await writer.settled(run_id);
    const log = JSON.parse(await readFile(join(system.dataDir, "volume", "runs", run_id, "action_log.json"), "utf8"));
    expect(log).toMatchObject({ run_id, actions: [{ seq: 1 }, { seq: 2 }] });
  }
  const early = medianOf(memory.slice(40, 60));
  const late = medianOf(memory.slice(-20));
  console.log(`RSS of the node: ${early.toFixed(0)} MB around run 50, ${late.toFixed(0)} MB at run 200`);
  expect(late / early).toBeLessThan(1.1);
  expect(await system.leftovers()).toEqual([]);
});

it("holds after 250 runs with faults mixed in what it held after few, and at most 5 % more memory", async () => {
  await using system = await openTestSystem({ env: { LOG_LEVEL: "warn" } });
  const { writer, admin } = system.as;
  const { url } = system.dashboard;
  const pid = system.node.process.pid ?? 0;
  const memory: number[] = [];
  let before: Awaited<ReturnType<typeof held>> | null = null;

  const plain = async () => {
    const { run_id } = await writer.create(openLogin(url));
    expect((await writer.finished(run_id)).run.status).toBe("completed");
  };
  const faults: (() => Promise<void>)[] = [
    async function crash() {
      const { run_id } = await writer.create(waitForever(url));
      await writer.until(run_id, ({ event }) => event.type === "action");
      const { browsers } = await admin.json<{ browsers: { run_id: string | null; pid: number }[] }>("/pool/browsers");
      process.kill(browsers.find((each) => each.run_id === run_id)?.pid ?? 0, "SIGKILL");
      expect((await writer.finished(run_id)).run.error?.code).toBe("BROWSER_CRASHED");
    },
    async function stop() {
      const { run_id } = await writer.create(waitForever(url));
      await writer.stop(run_id);
      expect((await writer.finished(run_id)).run.status).toBe("terminated");
    },
    async function failing() {
      const { run_id } = await writer.create(waitForever(url, 200));
      expect((await writer.finished(run_id)).run.status).toBe("failed");
    },
    async function clock() {
      const { run_id } = await writer.create({ ...waitForever(url), timeout_seconds: 1 });
      expect((await writer.finished(run_id)).run.status).toBe("timeout");
    },
    async function leave() {
      const { run_id } = await writer.create(openLogin(url));
      await writer.until(run_id, ({ id }) => id === 1);
      expect((await writer.finished(run_id)).run.status).toBe("completed");
    },
    async function refused() {
      expect((await writer.call("/runs", { method: "POST", body: "{" })).status).toBe(422);
      await plain();
    },
  ];

  for (let run = 0; run < 250; run += 2) {
    const fault = faults[(run / 2) % faults.length] as () => Promise<void>;
    await Promise.all([plain(), run % 4 === 0 ? fault() : plain()]);
    memory.push(await rssMb(pid));
    if (run === 48) {
      await untilQuiet(system);
      before = await held(system);
    }
  }
  await untilQuiet(system);
  const after = await held(system);
  const early = medianOf(memory.slice(20, 30)); // around run 50
  const late = medianOf(memory.slice(-10)); // around run 250
  console.log(
    `RSS of the node: ${early.toFixed(0)} MB around run 50, ${late.toFixed(0)} MB around run 250; held ${JSON.stringify(before)} and ${JSON.stringify(after)}`,
  );
  expect({ ...after, networks: null, fds: null }).toEqual({ ...before, networks: null, fds: null });
  expect(after.networks).toBeLessThanOrEqual(2 * (2 + 1) + 1); // the spare's, and twice as many kept as there may be Chromes
  expect(after.fds).toBeLessThanOrEqual((before?.fds ?? 0) + 2); // connections of clients that are still open
  expect(late / early).toBeLessThan(1.05);
});
