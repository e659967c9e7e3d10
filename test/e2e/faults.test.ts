/** Processes that die, clients that leave: every accepted run reaches one terminal state with a true reason, and nothing stays behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pause } from "../../shared/deadline.ts";
import type { NumberedEvent } from "../../shared/event.ts";
import { openLogin, readOrders, waitForever } from "../support/playbooks.ts";
import { freePort, openTestSystem, processesWith, type TestSystem } from "../support/system.ts";
import { readZip } from "../support/zip.ts";

let system: TestSystem;
beforeAll(async () => {
  system = await openTestSystem({ env: { POOL_PRIVATE_NETWORKS: "127.0.0.1/32", POOL_DRAIN_GRACE_S: "6" } });
});
afterAll(() => system?.[Symbol.asyncDispose]());

const login = () => openLogin(system.dashboard.url);
const forever = () => waitForever(system.dashboard.url);
/** Chrome processes of this system: each bears its folder, in its command line. */
const chromes = () => processesWith(system.chromeFolder);

type Browsers = { browsers: { browser_id: string; chrome_id?: string; run_id: string | null; pid: number | null; state: string }[] };

/** Looks again until it holds. */
async function eventually<T>(look: () => Promise<T>, holds: (value: T) => boolean, limitMs = 30_000): Promise<T> {
  const until = performance.now() + limitMs;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (performance.now() > until) throw new Error(`It did not come to hold; last seen: ${JSON.stringify(value)}`);
    await pause(20);
  }
}

async function startedForever(): Promise<string> {
  const { run_id } = await system.as.writer.create(forever());
  await system.as.writer.until(run_id, ({ event }) => event.type === "action");
  return run_id;
}

describe("when nobody listens where a run is to go", () => {
  it("the page is not taken for open, however the answer of the way there looks, and a retry tries again", async () => {
    const { writer } = system.as;
    const guardrails = { allow_private_networks: true };
    const url = `http://127.0.0.1:${await freePort()}/`;
    const steps = [{ action: "goto", params: { url }, on_failure: "retry" }];
    const byScript = (expression: string) => [
      { action: "goto", params: { url: system.dashboard.url } },
      { action: "evaluate", params: { expression } },
      {
        action: "wait_for",
        selector: "main",
        params: { state: "hidden" },
        verify: { expect_url_contains: new URL(url).host, timeout_ms: 500 },
        on_failure: "abort",
      },
    ];
    const [start, step, ...scripts] = await Promise.all([
      writer.create({ playbook: { id: "dead", guardrails, start_url: url, steps } }),
      writer.create({ playbook: { id: "dead", guardrails, steps } }),
      writer.create({ playbook: { id: "dead", guardrails, steps: byScript(`void (location.href = ${JSON.stringify(url)})`) } }),
      writer.create({ playbook: { id: "dead", guardrails, steps: byScript(`void window.open(${JSON.stringify(url)})`) } }),
    ]);
    const message = `Cannot open ${url}: the connection was refused`;
    expect((await writer.finished(start.run_id)).run.error).toMatchObject({
      code: "SETUP_FAILED",
      message: `The start page did not open: ${message}`,
    });
    const { run } = await writer.finished(step.run_id);
    expect(run.error).toMatchObject({ code: "STEP_FAILED", details: { raw_error: message } });
    expect(run.step_results).toMatchObject([{ attempts: 2, success: false }]);
    for (const [i, { run_id }] of scripts.entries()) {
      const { step_results } = (await writer.finished(run_id)).run;
      expect(step_results).toMatchObject([{ success: true }, { success: true }, { success: false }]);
      expect(step_results[2]?.raw_error).toContain(
        `${i === 0 ? "the page" : "the new tab"} is an error page: ${url}: the connection was refused (ECONNREFUSED)`,
      );
    }
  });
});

describe("when Chrome is killed in the middle of a run", () => {
  it("the run fails as BROWSER_CRASHED, its artifacts are kept, and the next run is well", async () => {
    const run_id = await startedForever();
    const { browsers } = await system.as.admin.json<Browsers>("/pool/browsers");
    const mine = browsers.find((each) => each.run_id === run_id);
    process.kill(mine?.pid ?? 0, "SIGKILL");
    const { run } = await system.as.writer.finished(run_id);
    expect(run).toMatchObject({ status: "failed", error: { code: "BROWSER_CRASHED" } });
    await system.as.writer.settled(run_id);
    expect((await readZip((await system.as.writer.trace(run_id)).bytes)).get("trace.trace")?.toString()).toContain("goto");
    const next = await system.as.writer.create(login());
    expect((await system.as.writer.finished(next.run_id)).run.status).toBe("completed");
  });

  it("and the run was posted with retries, it begins anew in another Chrome; its client reads on", async () => {
    const { writer, admin } = system.as;
    const { run_id } = await writer.create({ ...forever(), retries: 2 });
    const seen: NumberedEvent[] = [];
    for await (const event of writer.events(run_id)) {
      seen.push(event);
      if (event.event.type !== "action" || !event.event.success) continue; // the page is open
      const { browsers } = await admin.json<Browsers>("/pool/browsers");
      if (seen.some(({ event }) => event.type === "status" && event.attempt === 2)) await writer.stop(run_id);
      else process.kill(browsers.find((each) => each.run_id === run_id)?.pid ?? 0, "SIGKILL");
    }
    expect(seen.map(({ id }) => id)).toEqual(seen.map((_, i) => i + 1));
    const statuses = seen.flatMap(({ event }) =>
      event.type === "status" ? [[event.attempt, event.status, event.error?.code ?? null]] : [],
    );
    expect(statuses).toEqual([
      ...[
        [1, "queued", null],
        [1, "starting", null],
        [1, "running", null],
      ],
      ...[
        [2, "queued", "BROWSER_CRASHED"],
        [2, "starting", null],
        [2, "running", null],
        [2, "terminated", null],
      ],
    ]);
    const run = await writer.read(run_id);
    expect(run).toMatchObject({ attempt: 2, earlier_attempts: [{ attempt: 1, error: { code: "BROWSER_CRASHED" } }] });
    expect(run.step_results).toHaveLength(2);
    await writer.settled(run_id);
    expect(run.actions.map(({ seq, action }) => [seq, action]).slice(0, 1)).toEqual([[1, "goto"]]);
    expect((await writer.trace(run_id)).source).toBe("stored");
    expect(await eventually(system.leftovers, (names) => names.length === 0)).toEqual([]);
  });
});

describe("a client that", () => {
  it("posts and leaves does not end its run", async () => {
    const { writer } = system.as;
    const { run_id } = await writer.create(login());
    await writer.until(run_id, ({ id }) => id === 1);
    expect((await writer.finished(run_id)).run.status).toBe("completed");
  });

  it("freezes while it follows a run harms neither that run nor others", async () => {
    const { writer } = system.as;
    const { run_id } = await writer.create(waitForever(system.dashboard.url, 1_500));
    const script = `const r = await fetch("${system.url}/runs/${run_id}/stream", { headers: { Authorization: "Bearer writer-key-0123456789" } }); console.log("open"); for await (const _ of r.body);`;
    const client = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    await once(client.stdout, "data");
    client.kill("SIGSTOP");
    try {
      const other = await writer.create(login());
      expect((await writer.finished(other.run_id)).run.status).toBe("completed");
      expect((await writer.finished(run_id)).run.status).toBe("failed");
      await eventually(
        () =>
          writer
            .json<{ slots: { busy: number } }[]>("/runs?limit=1")
            .then(() => system.as.admin.json<{ nodes: { slots: { busy: number } }[] }>("/pool/nodes")),
        ({ nodes }) => nodes[0]?.slots.busy === 0,
      );
    } finally {
      client.kill("SIGKILL");
    }
  });

  it("stops a run that is still queued: no Chrome is started for it", async () => {
    const { writer, admin } = system.as;
    const busy = [await startedForever(), await startedForever()];
    const { run_id, status } = await writer.create(login());
    expect(status).toBe("queued");
    expect((await writer.read(run_id)).queue_position).toBe(1);
    const counted = await stopsCounted();
    expect(await writer.stop(run_id)).toEqual({ run_id, status: "terminated" });
    const { run } = await writer.finished(run_id);
    expect(run).toMatchObject({ status: "terminated", node_id: null, started_at: null });
    expect(await stopsCounted()).toBe(counted + 1);
    for (const each of busy) await writer.stop(each);
    const { browsers } = await admin.json<Browsers>("/pool/browsers");
    expect(browsers.some((each) => each.run_id === run_id)).toBe(false);
  });
});

describe("when the node is killed in the middle of runs", () => {
  it("its Chromes go with it; after a restart each run is over with a true reason, and queued ones run, or fail where their credentials cannot be opened", async () => {
    const { writer } = system.as;
    const running = [await startedForever(), await startedForever()];
    const queued = (await writer.create(login())).run_id;
    const sealed = (await writer.create(readOrders(system.dashboard.url))).run_id;
    const before: NumberedEvent[] = [];
    const following = (async () => {
      for await (const event of writer.events(running[0] as string)) before.push(event);
    })();
    following.catch(() => {}); // the edge may break the stream while the node is away
    await system.node.end("SIGKILL");
    await eventually(chromes, (pids) => pids.length === 0); // before a start could sweep them
    await system.restartNode({ SECRETS_KEY: "another-key-than-the-one-that-sealed-it" });

    for (const run_id of running) {
      const { run, events } = await writer.finished(run_id);
      expect(run).toMatchObject({ status: "failed", error: { code: "NODE_LOST" }, recording: { state: "partial" } });
      expect(run.step_results).toMatchObject([
        { index: 0, success: true },
        { index: 1, success: false },
      ]);
      expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1));
      const { source, bytes } = await writer.trace(run_id);
      expect(source).toBe("stored");
      expect((await readZip(bytes)).get("trace.trace")?.toString()).toContain("goto");
    }
    expect((await writer.finished(queued)).run.status).toBe("completed");
    await following.catch(() => {});
    expect(before.map(({ id }) => id)).toEqual(before.map((_, i) => i + 1));
    await writer.settled(queued);
    expect((await writer.finished(sealed)).run).toMatchObject({ status: "failed", error: { code: "SETUP_FAILED" } });
    const gone = await eventually(
      () => writer.call(`/runs/${sealed}`, { method: "DELETE" }),
      ({ status }) => status !== 409,
    );
    expect(gone.status).toBe(204);
    expect(await eventually(system.leftovers, (names) => names.length === 0)).toEqual([]);
  });
});

describe("when a node is told to end", () => {
  it("finishes what it has in hand within its grace, takes no more, and ends as terminated what that is too short for", async () => {
    const { writer } = system.as;
    const long = await startedForever();
    const short = (await writer.create(login())).run_id;
    await writer.until(short, ({ event }) => event.type === "action"); // what is left of it fits into the grace on any machine
    const [ofLong, ofShort] = [writer.finished(long), writer.finished(short)];
    await system.node.end("SIGTERM");
    expect(await chromes()).toEqual([]);
    await system.restartNode({ POOL_ISOLATION: "context" }); // for the next test: a start costs seconds
    expect((await ofShort).run.status).toBe("completed");
    await ofLong;
    expect(await writer.read(long)).toMatchObject({
      status: "terminated",
      error: { code: "RUN_TERMINATED", details: { reason: "shutdown" } },
      recording: { state: "ready" },
    });
    for (const run_id of [short, long]) expect((await writer.trace(run_id)).source).toBe("stored");
  });
});

describe("on a node whose runs share a Chrome", () => {
  it("they see nothing of each other; when it dies each ends once or begins anew, in another", async () => {
    const { writer, admin } = system.as;
    const { nodes } = await admin.json<{ nodes: { isolation: string }[] }>("/pool/nodes");
    expect(nodes).toMatchObject([{ isolation: "context" }]);

    const marks = ["one", "two", "three"].map((mark) => {
      const state = "JSON.stringify([document.cookie, Object.keys(localStorage)])";
      const expression = `document.cookie = "mark-${mark}=1"; localStorage.setItem("${mark}", ""); document.querySelector("h1").textContent = ${state}`;
      const steps = [
        { action: "goto", params: { url: `${system.dashboard.url}/login` } },
        { action: "evaluate", params: { expression } },
        { action: "extract", selector: "h1" },
      ];
      return { mark, body: { playbook: { id: "mark", guardrails: { allow_private_networks: true }, steps } } };
    });
    for (const { mark, run } of await Promise.all(
      marks.map(async ({ mark, body }) => ({ mark, ...(await writer.finished((await writer.create(body)).run_id)) })),
    )) {
      expect(run.status).toBe("completed");
      expect(JSON.parse(run.result ?? "")).toEqual([`mark-${mark}=1`, [mark]]);
    }

    const readiness = async () => (await (await fetch(`${system.url}/readyz`)).json()) as { ready: boolean; isolations: string[] };
    expect(await eventually(readiness, ({ ready }) => ready)).toMatchObject({ isolations: ["context"] });

    const doomed = await startedForever();
    const again = (await writer.create({ ...forever(), retries: 1 })).run_id;
    await writer.until(again, ({ event }) => event.type === "action");
    const { browsers } = await admin.json<Browsers>("/pool/browsers");
    const chromeOf = (runId: string) => browsers.find((each) => each.run_id === runId)?.chrome_id;
    expect(chromeOf(doomed)).toBe(chromeOf(again));
    const { pid } = browsers.find((each) => each.browser_id === chromeOf(doomed)) ?? {};
    process.kill(pid ?? 0, "SIGKILL");
    const { run, events } = await writer.finished(doomed);
    expect(run).toMatchObject({ status: "failed", error: { code: "BROWSER_CRASHED" } });
    expect(events.filter(({ event }) => event.type === "complete")).toHaveLength(1);
    await writer.until(again, ({ event }) => event.type === "status" && event.attempt === 2 && event.status === "running");
    await writer.stop(again);
    for (const each of [doomed, again]) await writer.settled(each);
    expect(await eventually(system.leftovers, (names) => names.length === 0)).toEqual([]);
  });
});

/** What the node's metrics say of runs that were stopped. */
async function stopsCounted(): Promise<number> {
  const response = await fetch(`${system.node.url}/metrics`, { headers: { Authorization: `Bearer ${system.token}` } });
  return Number(/^understudy_runs_total\{.*code="RUN_TERMINATED".*\} (\d+)$/m.exec(await response.text())?.[1]);
}

it("leaves nothing in its folders when it has ended", async () => {
  await system.node.end();
  expect(await chromes()).toEqual([]);
  expect(await readdir(join(system.dataDir, "work"))).toEqual([]);
  expect(await readdir(system.chromeFolder).catch(() => [])).toEqual([]);
});
