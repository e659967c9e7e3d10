import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromesUnder, foldersUnder, membersOf, openPool, openSite, soon, type TestPool, until, VIEWPORT } from "./support.ts";

const numberOf = (browserId: string) => Number(browserId.split(".").at(-1));
const take = (pool: TestPool, viewport = VIEWPORT) => pool.lease(crypto.randomUUID(), { signal: soon(), viewport });
const infoOf = (pool: TestPool, browserId: string) => pool.list().find((each) => each.browser_id === browserId);

describe("leases from a pool with one warm spare", () => {
  let pool: TestPool;
  beforeAll(async () => {
    pool = await openPool({ warm: 1, slots: 3 });
  });
  afterAll(() => pool[Symbol.asyncDispose]());
  const warm = () => until(() => pool.counts().warm === 1);

  it("hands out the spare, which waits on an empty page with the run's viewport", async () => {
    await warm();
    const spare = pool.list().find((each) => each.state === "warm");
    await using lease = await pool.lease("run-1", { signal: soon(), viewport: VIEWPORT });
    expect(lease.browserId).toBe(spare?.browser_id);
    expect(infoOf(pool, lease.browserId)).toMatchObject({ state: "busy", run_id: "run-1", kind: "process", pid: spare?.pid });
    expect(lease.version).toMatch(/^(Headless)?Chrome\/\d+/);
    expect(lease.page.url()).toBe("about:blank");
    expect(await lease.page.evaluate("[innerWidth, innerHeight]")).toEqual([1280, 720]);
    expect(await lease.browser.pages()).toHaveLength(1);
  });

  it("gives a run the viewport that it asks for", async () => {
    await warm();
    await using lease = await take(pool, { width: 900, height: 500 });
    expect(await lease.page.evaluate("[innerWidth, innerHeight]")).toEqual([900, 500]);
  });

  it("refills when the run is over, with another Chrome", async () => {
    await warm();
    const lease = await take(pool);
    await lease[Symbol.asyncDispose]();
    await warm();
    expect(pool.list().map((each) => each.browser_id)).not.toContain(lease.browserId);
  });

  it("never gives one browser to two runs that start at once", async () => {
    await warm();
    const leases = await Promise.all([take(pool), take(pool), take(pool)]);
    const pids = leases.map((lease) => infoOf(pool, lease.browserId)?.pid);
    expect(new Set(pids).size).toBe(3);
    expect(new Set(leases.map((lease) => lease.egress.proxyUrl)).size).toBe(3);
    await Promise.all(leases.map(async (lease, i) => lease.page.evaluate(`document.title = "run ${i}"`)));
    expect(await Promise.all(leases.map((lease) => lease.page.title()))).toEqual(["run 0", "run 1", "run 2"]);
    expect(pool.counts().busy).toBe(3);
    await Promise.all(leases.map((lease) => lease[Symbol.asyncDispose]()));
    expect(pool.counts().busy).toBe(0);
  });

  it("leaves no process, no folder and no listener when a lease is disposed, twice at once", async () => {
    const lease = await take(pool);
    const pid = infoOf(pool, lease.browserId)?.pid ?? 0;
    const folder = dirname(lease.downloadsDir ?? "");
    expect(membersOf(pid).length).toBeGreaterThan(2);
    expect(existsSync(folder)).toBe(true);
    await Promise.all([lease[Symbol.asyncDispose](), lease[Symbol.asyncDispose]()]);
    await lease[Symbol.asyncDispose]();
    expect(membersOf(pid)).toEqual([]);
    expect(existsSync(folder)).toBe(false);
    expect(lease.egress.isOpen).toBe(false);
    expect(infoOf(pool, lease.browserId)).toBeUndefined();
    expect(lease.lost.aborted).toBe(false);
  });

  it("does not hand out a spare that died while it waited", async () => {
    await warm();
    const spare = pool.list().find((each) => each.state === "warm");
    process.kill(spare?.pid ?? 0, "SIGKILL");
    await using lease = await take(pool); // at once: not even its exit is known here
    expect(lease.browserId).not.toBe(spare?.browser_id);
    expect(await lease.page.evaluate("1 + 1")).toBe(2);
  });

  it("does not hand out a spare that is frozen", async () => {
    await warm();
    const spare = pool.list().find((each) => each.state === "warm");
    process.kill(spare?.pid ?? 0, "SIGSTOP");
    await using lease = await take(pool);
    expect(lease.browserId).not.toBe(spare?.browser_id);
    await until(() => membersOf(spare?.pid ?? 0).length === 0);
  });

  it("replaces a spare that stopped answering before a run comes", async () => {
    await using watched = await openPool({ warm: 1, spareCheckMs: 300 });
    const [spare] = watched.list();
    process.kill(spare?.pid ?? 0, "SIGSTOP");
    await until(() => watched.counts().warm === 1 && watched.list()[0]?.browser_id !== spare?.browser_id, 20_000);
    expect(membersOf(spare?.pid ?? 0)).toEqual([]);
  });

  it.each([
    ["older", { spareMaxAgeMs: 1 }],
    ["larger", { spareMaxBytes: 1 }],
  ])("replaces a spare that is %s than it may be", async (_what, limit) => {
    await using watched = await openPool({ warm: 1, spareCheckMs: 100, ...limit });
    const [spare] = watched.list();
    await until(() => watched.list().every((each) => each.browser_id !== spare?.browser_id), 20_000);
    expect(membersOf(spare?.pid ?? 0)).toEqual([]);
  });

  it("replaces a spare at once when asked to recycle it", async () => {
    await warm();
    const spare = pool.list().find((each) => each.state === "warm");
    const info = await pool.recycle(numberOf(spare?.browser_id ?? ""));
    expect(info).toMatchObject({ browser_id: spare?.browser_id, recycle_requested: true, state: "closing" });
    await until(() => membersOf(spare?.pid ?? 0).length === 0);
    await warm();
  });

  it("lets the run finish when its browser is to be recycled", async () => {
    await using lease = await take(pool);
    const info = await pool.recycle(numberOf(lease.browserId));
    expect(info).toMatchObject({ state: "busy", recycle_requested: true });
    expect(await lease.page.evaluate("1 + 1")).toBe(2);
  });

  it("knows no browser of another number", async () => {
    await expect(pool.recycle(0)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(pool.recycle(99_999)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("goes to every address through its own egress listener, to this machine too", async () => {
    await using site = await openSite();
    await using lease = await take(pool);
    await lease.page.goto(`${site.url}/`);
    expect(await lease.page.title()).toBe("Shop");
    expect(lease.egress.asked).toContain(`${site.url}/`);
  });

  it("keeps downloads in the run's folder, under names of Chrome's own", async () => {
    await using lease = await take(pool);
    await lease.page.setContent(`<a download="../../evil.sh" href="data:application/octet-stream,hello">get</a>`);
    await lease.page.click("a");
    const names = () => readdirSync(lease.downloadsDir ?? "");
    await until(() => names().length > 0 && names().every((name) => /^[0-9a-f-]{36}$/.test(name)));
    expect(names()).toHaveLength(1);
  });
});

describe("leases that end early", () => {
  let pool: TestPool;
  beforeAll(async () => {
    pool = await openPool({ slots: 3 });
  });
  afterAll(() => pool[Symbol.asyncDispose]());
  const expectNothingLeft = () => {
    expect(pool.list()).toEqual([]);
    expect(foldersUnder(pool.dataDir)).toEqual([]);
    expect(chromesUnder(pool.dataDir)).toEqual([]);
    expect(pool.egresses.filter((each) => each.isOpen)).toEqual([]);
  };

  it("starts nothing for a run that is stopped already", async () => {
    const reason = new Error("stopped");
    await expect(pool.lease("r", { signal: AbortSignal.abort(reason), viewport: VIEWPORT })).rejects.toBe(reason);
    expectNothingLeft();
  });

  it("leaves nothing of launches that are stopped at whatever moment", async () => {
    const reason = new Error("stopped");
    const outcomes: unknown[] = [];
    for (const ms of [1, 40, 120, 250]) {
      const stop = new AbortController();
      const lease = pool.lease("r", { signal: stop.signal, viewport: VIEWPORT });
      setTimeout(() => stop.abort(reason), ms);
      outcomes.push(
        await lease.then(
          (given) => given[Symbol.asyncDispose](),
          (error) => error,
        ),
      ); // undefined: it was faster
      expectNothingLeft();
    }
    expect(outcomes[0]).toBe(reason);
    for (const outcome of outcomes) if (outcome !== undefined) expect(outcome).toBe(reason);
  });

  it("ends leased browsers and launches under way when the node stops", async () => {
    const stopping = await openPool({ warm: 1 });
    const lease = await take(stopping);
    const second = take(stopping);
    await Promise.all([stopping[Symbol.asyncDispose](), expect(second).rejects.toMatchObject({ code: "RUN_TERMINATED" })]);
    expect(lease.lost.aborted).toBe(false);
    await expect(take(stopping)).rejects.toMatchObject({ code: "RUN_TERMINATED" });
  });
});
