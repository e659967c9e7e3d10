/** `npm start` and `npm run demo`, as their processes: a real edge and a real node below them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { pause } from "../../shared/deadline.ts";
import { INHERITED } from "../support/environment.ts";
import { copyStoreSeed } from "../support/store-seed.ts";
import { freePort, processesWith } from "../support/system.ts";

const ROOT = join(import.meta.dirname, "../..");

/** One DATA_DIR for all, its store made before: a first start takes seconds, and the demo makes one. */
let place: Awaited<ReturnType<typeof makePlace>>;
beforeAll(async () => {
  place = await makePlace();
});
afterEach(() => place.untilGone());
afterAll(() => place?.[Symbol.asyncDispose]());

describe("npm start", { timeout: 60_000 }, () => {
  it("makes a key, serves, and ends with 0 when asked to", async () => {
    const launcher = place.start("start/start.ts");
    await launcher.says("Understudy is ready");
    const key = /kept in \S+: (us_\S+)/.exec(launcher.output())?.[1] ?? "no key";
    const answer = await fetch(`${place.edge}/playbooks`, { headers: { Authorization: `Bearer ${key}` } });
    const { playbooks } = (await answer.json()) as { playbooks: { id: string }[] };
    expect(playbooks.map(({ id }) => id).toSorted()).toEqual(["cancel-order", "list-orders", "monthly-report"]);
    expect((await readFile(join(place.dataDir, "api-key"), "utf8")).trim()).toBe(key);

    launcher.process.kill("SIGTERM");
    expect(await launcher.exited).toEqual([0, null]);
    await expect(fetch(`${place.edge}/healthz`)).rejects.toThrow("fetch failed");
  });

  it("shows the key no second time, and ends, not with 0, when its node dies", async () => {
    const launcher = place.start("start/start.ts");
    await launcher.says("Understudy is ready");
    expect(launcher.output()).not.toContain((await readFile(join(place.dataDir, "api-key"), "utf8")).trim());
    process.kill(await place.nodePid(), "SIGKILL");
    expect(await launcher.exited).toEqual([137, null]);
    expect(launcher.output()).toContain("The node has ended by itself (killed by SIGKILL)");
    await expect(fetch(`${place.edge}/healthz`)).rejects.toThrow("fetch failed");
  });

  it("takes edge and node along when it is killed itself", async () => {
    const launcher = place.start("start/start.ts");
    await launcher.says("Understudy is ready");
    launcher.process.kill("SIGKILL");
    await place.untilGone();
  });

  it("says in one sentence that its port is taken, after all that is wrong with its settings", async () => {
    const holder = createServer().listen(Number(new URL(place.edge).port), "127.0.0.1");
    await once(holder, "listening");
    const launcher = place.start("start/start.ts", { POOL_SLOTS: "many", EDGE_THREADS: "0" });
    expect(await launcher.exited).toEqual([78, null]);
    expect(launcher.output()).toMatch(/^ {2}POOL_SLOTS: .+$/m);
    expect(launcher.output()).toMatch(/^ {2}EDGE_THREADS: .+$/m);
    expect(launcher.output()).toMatch(/^Cannot start\. Port \d+ on 127\.0\.0\.1 is taken; set EDGE_PORT to another, or to 0 for any\n$/m);
    expect(launcher.output().trimEnd().split("\n").at(-1)).toMatch(/^Cannot start\./);
    holder.close();
  });

  it("says all that is wrong with the settings of both at once, a line each", async () => {
    const wrong = { EDGE_PORT: "http", EDGE_THREADS: "0", POOL_PORT: "70000", POOL_SLOTS: "many", RETENTION_DAYS: "1e3" };
    const launcher = place.start("start/start.ts", wrong);
    expect(await launcher.exited).toEqual([78, null]);
    const names = [...launcher.output().matchAll(/^ {2}([A-Z_]+): expected /gim)].map(([, name]) => name);
    expect(names.toSorted()).toEqual(Object.keys(wrong).toSorted());
    expect(launcher.output()).toMatch(/^Cannot start\. The (edge|node) ended before it was ready \(exit code 78\)\n$/m);
  });
});

describe("npm run demo", { timeout: 60_000 }, () => {
  it("cancels the order, saves the recording and leaves nothing running", async () => {
    const demo = place.start("start/demo.ts");
    expect(await demo.exited, demo.output()).toEqual([0, null]);
    expect(demo.output()).toContain("✓ The dashboard itself says: order 12345 is cancelled.");
    expect(demo.output().match(/^ {2}✓ +\d+ /gm)).toHaveLength(7);
    expect(demo.output()).not.toContain("\u001b");
    const [run = ""] = await readdir(join(place.dataDir, "demo/recordings"));
    const recording = join(place.dataDir, "demo/recordings", run);
    expect((await readFile(join(recording, "trace.zip"))).subarray(0, 4).toString("latin1")).toBe("PK\u0003\u0004");
    expect((await readdir(join(recording, "screenshots"))).length).toBeGreaterThan(0);
    expect(await readdir(join(place.dataDir, "demo"))).toEqual(["demo.log", "recordings"]);
    expect(await processesWith(place.dataDir)).toEqual([]);
  });

  it("ends with 130 when it is interrupted, however often one Ctrl+C is heard, and leaves nothing", async () => {
    await rm(join(place.dataDir, "demo"), { recursive: true });
    const tmp = await mkdtemp(join(tmpdir(), "us-tmp-"));
    await chmod(tmp, 0o755); // DATA_DIR is closed to Chrome's own user: its folder is here
    const demo = place.start("start/demo.ts", { TMPDIR: tmp });
    await demo.says("POST /runs");
    demo.process.kill("SIGINT"); // the terminal's
    demo.process.kill("SIGINT"); // npm's
    expect(await demo.exited, demo.output()).toEqual([130, null]);
    expect(demo.output()).not.toContain("failed");
    expect(await readdir(join(place.dataDir, "demo"))).toEqual(["demo.log"]);
    expect(await readdir(tmp)).toEqual([]);
    expect([await processesWith(place.dataDir), await processesWith(tmp)]).toEqual([[], []]);
    await rmdir(tmp);
  });
});

/** A DATA_DIR and two free ports. Whatever is still running at the end is killed. */
async function makePlace() {
  const dataDir = await mkdtemp(join(tmpdir(), "us-launch-"));
  await copyStoreSeed(dataDir);
  const [edgePort, poolPort] = [await freePort(), await freePort()];
  const [edge, node] = [`http://127.0.0.1:${edgePort}`, `http://127.0.0.1:${poolPort}`];
  const children: ChildProcess[] = [];
  const untilGone = async () => {
    for (const url of [edge, node]) while (await answers(url)) await pause(50);
  };
  return {
    dataDir,
    edge,
    untilGone,
    /** The node is who holds DATA_DIR. */
    nodePid: async () => (JSON.parse(await readFile(join(dataDir, "node.holder.json"), "utf8")) as { pid: number }).pid,
    start(file: string, environment: Record<string, string> = {}) {
      const child = spawn(process.execPath, [file], {
        cwd: ROOT,
        env: {
          ...INHERITED,
          DATA_DIR: dataDir,
          EDGE_PORT: String(edgePort),
          POOL_PORT: String(poolPort),
          LOG_LEVEL: "warn",
          ...environment,
        },
        stdio: ["ignore", "pipe", "pipe"],
      });
      children.push(child);
      let output = "";
      const heard = new EventTarget();
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          output += text;
          heard.dispatchEvent(new Event("output"));
        });
      }
      const closed = once(child, "close");
      return {
        process: child,
        output: () => output,
        exited: closed,
        async says(text: string): Promise<void> {
          while (!output.includes(text)) {
            const more = new Promise((resolve) => heard.addEventListener("output", resolve, { once: true }));
            await Promise.race([more, closed.then(() => Promise.reject(new Error(`${file} ended without saying "${text}":\n${output}`)))]);
          }
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await untilGone();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

const answers = (url: string) =>
  fetch(`${url}/healthz`).then(
    () => true,
    () => false,
  );
