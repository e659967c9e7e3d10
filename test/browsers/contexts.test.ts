/** POOL_ISOLATION=context: runs share a Chrome, and nothing else. */
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type BrowserContext, type CDPSession, CDPSessionEvent, type Connection } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTabs } from "../../pool/actions/tabs.ts";
import type { Lease } from "../../pool/browsers/browsers.ts";
import { openTab } from "../../pool/browsers/context-browser.ts";
import { KeptListeners } from "../../pool/browsers/kept-listeners.ts";
import { loadPerCpu } from "../../pool/browsers/machine-load.ts";
import { mostBytes } from "../../pool/browsers/shared-chromes.ts";
import { WaysOut } from "../../pool/browsers/ways-out.ts";
import {
  aborted,
  chromesUnder,
  foldersUnder,
  membersOf,
  openPool,
  openSite,
  openTestEgress,
  quiet,
  renderersOf,
  soon,
  type TestEgress,
  type TestPool,
  until,
  VIEWPORT,
} from "./support.ts";

/** See losses.test.ts. Here healthy pages are looked at beside others: on a busy machine they may take their time, as on a node. */
const TICK_MS = 80;

let pool: TestPool;
beforeAll(async () => {
  pool = await openPool({ isolation: "context", warm: 1, slots: 3, healthTickMs: TICK_MS, loadPerCpu: () => Math.min(2, loadPerCpu()) });
});
afterAll(() => pool[Symbol.asyncDispose]());

type TestLease = Lease<TestEgress>;
const numberOf = (browserId: string) => Number(browserId.split(".").at(-1));
const take = (from = pool) => from.lease(crypto.randomUUID(), { signal: soon(), viewport: VIEWPORT });
const infoOf = (browserId: string, of = pool) => of.list().find((each) => each.browser_id === browserId);
const chromeOf = (lease: TestLease, of = pool) => infoOf(infoOf(lease.browserId, of)?.chrome_id ?? "", of);
const loss = (what: string) => ({ code: "BROWSER_CRASHED", details: expect.objectContaining({ what }) });
const idle = () => until(() => pool.counts().warm === 1 && pool.counts().busy === 0);

describe("runs that share a Chrome", () => {
  it("have a context each, in one process, which is shown and counted once", async () => {
    await idle();
    await using one = await take();
    await using other = await take();
    const chrome = chromeOf(one);
    expect(chrome).toMatchObject({ kind: "process", state: "busy", run_id: null });
    expect(chromeOf(other)).toEqual(expect.objectContaining({ pid: chrome?.pid }));
    expect(chromesUnder(pool.dataDir)).toHaveLength(1);
    expect(infoOf(one.browserId)).toMatchObject({ kind: "process", state: "busy", pid: null, version: chrome?.version });
    expect(pool.counts().busy).toBe(2);
    const measured = await pool.measured();
    expect(measured.filter(({ memory_bytes }) => memory_bytes !== null).map(({ pid }) => pid)).toEqual([chrome?.pid]);
    const memory = await pool.memory();
    expect(memory.busy).toBeGreaterThan(10_000_000);
    expect(memory.warm).toBe(0);
    expect(await one.page.evaluate("[innerWidth, innerHeight, document.hasFocus()]")).toEqual([1280, 720, true]);
    expect(await other.page.evaluate("document.hasFocus()")).toBe(true);
  });

  it("see nothing of a run beside them nor of one before: cookies, storage, caches, service workers, pages", async () => {
    await using site = await openSite({ "/": "<title>Shop</title>", "/sw.js": "", "/app.js": "" });
    const stateOf = (lease: TestLease) =>
      lease.page.evaluate(`(async () => { const files = []; for await (const name of (await navigator.storage.getDirectory()).keys()) files.push(name);
        return [document.cookie, localStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length, files.length,
          (await navigator.serviceWorker.getRegistrations()).length]; })()`);
    const load = (lease: TestLease) => lease.page.evaluate(`fetch("/app.js").then((answer) => answer.text())`);
    const loaded = () => site.hits.filter((url) => url === "/app.js").length;
    const [one, beside] = [await take(), await take()];
    for (const lease of [one, beside]) await lease.page.goto(`${site.url}/`);
    await one.page.evaluate(`(async () => { document.cookie = "run=one; max-age=1000"; localStorage.setItem("run", "one"); await caches.open("run");
      await new Promise((resolve) => { indexedDB.open("run").onsuccess = resolve; });
      await (await navigator.storage.getDirectory()).getFileHandle("run", { create: true });
      await navigator.serviceWorker.register("/sw.js"); await navigator.serviceWorker.ready; })()`);
    for (const lease of [one, one]) await load(lease);
    expect(loaded()).toBe(1); // there is a cache
    expect(await stateOf(one)).toEqual(["run=one", 1, 1, 1, 1, 1]);
    expect(await stateOf(beside)).toEqual(["", 0, 0, 0, 0, 0]);
    await load(beside);
    expect(loaded()).toBe(2);
    expect(await beside.page.browserContext().pages()).toEqual([beside.page]);
    await one[Symbol.asyncDispose]();
    await using next = await take();
    await next.page.goto(`${site.url}/`);
    expect(await stateOf(next)).toEqual(["", 0, 0, 0, 0, 0]);
    await load(next);
    expect(loaded()).toBe(3);
    expect(chromeOf(next)?.pid).toBe(chromeOf(beside)?.pid);
    await beside[Symbol.asyncDispose]();
  });

  it("download into a folder each, which goes with its run", async () => {
    const [one, other] = [await take(), await take()];
    const [its, others] = [one.downloadsDir ?? "", other.downloadsDir ?? ""];
    await one.page.setContent(`<a download="evil.sh" href="data:application/octet-stream,hello">get</a>`);
    await one.page.click("a");
    await until(() => readdirSync(its).some((name) => !name.endsWith(".crdownload")));
    expect(readdirSync(others)).toEqual([]);
    await Promise.all([one, other].map((lease) => lease[Symbol.asyncDispose]()));
    expect([existsSync(its), existsSync(others)]).toEqual([false, false]);
    expect([one.egress.isOpen, other.egress.isOpen]).toEqual([false, false]);
  });

  it("go out by a way each, and not by another's", async () => {
    await using site = await openSite();
    await using one = await take();
    await using other = await take();
    const neighbours = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `http://127.0.0.${n}:3128/`); // in a network of its own that is where they are
    for (const lease of [one, other]) await lease.page.goto(`${site.url}/`);
    await one.page.evaluate(`Promise.allSettled(${JSON.stringify(neighbours)}.map((url) => fetch(url, { mode: "no-cors" })))`);
    for (const url of [`${site.url}/`, ...neighbours]) expect(one.egress.asked).toContain(url);
    expect(other.egress.asked.filter((url) => !url.includes("favicon"))).toEqual([`${site.url}/`]);
  });

  it("hear of their own dialogs and tabs only", async () => {
    await using one = await take();
    await using other = await take();
    const sent: string[] = [];
    const connection = (await other.page.createCDPSession()).connection() as Connection;
    connection.on(CDPSessionEvent.SessionAttached, (session: CDPSession) => {
      const send = session.send.bind(session) as (method: string, ...rest: unknown[]) => Promise<never>;
      session.send = ((method: string, ...rest: unknown[]) => {
        sent.push(method);
        return send(method, ...rest);
      }) as CDPSession["send"];
    });
    const heard: Record<string, string[]> = { one: [], other: [] };
    const openOf = (lease: TestLease, name: string) =>
      openTabs(lease.page, { signal: soon(), viewport: VIEWPORT, onDialog: ({ message }) => heard[name]?.push(message) });
    await using ones = await openOf(one, "one");
    await using others = await openOf(other, "other");
    await other.page.evaluate("alert('of the other'); void window.open('about:blank')");
    await until(() => others.active() !== other.page);
    await others.active().evaluate("alert('of its popup')");
    expect(heard).toEqual({ one: [], other: ["of the other", "of its popup"] });
    expect(ones.active()).toBe(one.page);
    expect(await one.page.browserContext().pages()).toEqual([one.page]);

    await others[Symbol.asyncDispose]();
    sent.length = 0;
    const opened = new Promise((resolve) => other.page.browserContext().once("targetcreated", resolve));
    await other.page.evaluate("void window.open('about:blank')");
    await opened;
    expect(sent).toContain("Runtime.runIfWaitingForDebugger"); // it is puppeteer's page by now
    expect(sent).not.toContain("Page.enable"); // nothing of the run beside it
  });

  it("are lost when Chrome's network service ends: the next one would not know their ways out", async () => {
    await idle();
    const leases = [await take(), await take()];
    const pid = chromeOf(leases[0] as TestLease)?.pid ?? 0;
    const service = membersOf(pid).find((each) => readFileSync(`/proc/${each}/cmdline`, "latin1").includes("network.mojom.NetworkService"));
    if (service === undefined) throw new Error("There is no network service to kill");
    process.kill(service, "SIGKILL");
    for (const lease of leases) {
      expect(await aborted(lease.lost)).toMatchObject({ ...loss("browser_exit"), message: expect.stringContaining("network service") });
      await lease[Symbol.asyncDispose]();
    }
    await until(() => membersOf(pid).length === 0);
  });

  it("do not go down with a page that hangs or crashes beside them, and no renderer stays at work", async () => {
    await idle();
    await using healthy = await take();
    const pid = chromeOf(healthy)?.pid ?? 0;
    const [hanging, crashing] = [await take(), await take()];
    await until(() => pool.counts().warm === 1); // no other context comes from here on
    const before = renderersOf(pid).length;
    await hanging.page.evaluate("void setInterval(() => { while (true) {} }, 1)"); // first aid ends one of them
    (await crashing.page.createCDPSession()).send("Page.crash").catch(() => {}); // never answered
    expect(await aborted(crashing.lost)).toMatchObject(loss("page_crash"));
    expect(await aborted(hanging.lost)).toMatchObject(loss("page_hang"));
    expect([healthy, hanging, crashing].map(({ egress }) => egress.isCut)).toEqual([false, true, true]); // before anything is asked of Chrome
    await Promise.all([hanging, crashing].map((lease) => lease[Symbol.asyncDispose]()));
    await until(() => renderersOf(pid).length <= before - 2);
    expect(healthy.lost.aborted).toBe(false);
    expect(await healthy.page.evaluate("1 + 1")).toBe(2);
    expect(chromeOf(healthy)?.pid).toBe(pid);
  });

  it("end one by one when an operator kills a context, all together when it is the Chrome, and another stands in its place", async () => {
    await idle();
    const [one, other] = [await take(), await take()];
    pool.kill(numberOf(one.browserId));
    expect([one.egress.isCut, other.egress.isCut]).toEqual([true, false]);
    expect(await aborted(one.lost)).toMatchObject(loss("browser_exit"));
    expect(other.lost.aborted).toBe(false);
    const third = await take();
    const chrome = chromeOf(third);
    expect(chromeOf(other)?.pid).toBe(chrome?.pid);
    pool.kill(numberOf(chrome?.browser_id ?? ""));
    for (const lease of [other, third]) expect(await aborted(lease.lost)).toMatchObject(loss("browser_exit"));
    await Promise.all([one, other, third].map((lease) => lease[Symbol.asyncDispose]()));
    await until(() => infoOf(chrome?.browser_id ?? "") === undefined);
    await idle();
    expect(membersOf(chrome?.pid ?? 0)).toEqual([]);
    expect(foldersUnder(pool.dataDir)).toHaveLength(1);
  });

  it("finish in a Chrome that is to be recycled, while others begin in the next; no more than two Chromes wait for that", async () => {
    await idle();
    const leases: TestLease[] = [];
    const chromes: string[] = [];
    const begin = async () => {
      const lease = await take();
      leases.push(lease);
      return chromeOf(lease)?.browser_id ?? "";
    };
    for (let n = 0; n < 3; n++) {
      chromes.push(await begin());
      expect(await pool.recycle(numberOf(chromes[n] ?? ""))).toMatchObject({ recycle_requested: true, state: "busy" });
      if (n < 2)
        await until(() =>
          pool.list().some(({ state, chrome_id = "" }) => state === "warm" && chrome_id !== "" && !chromes.includes(chrome_id)),
        );
    }
    expect(new Set(chromes).size).toBe(3);
    expect(await begin()).toBe(chromes[2]); // no fourth while two wait
    expect(chromes.map((id) => infoOf(id)?.retired)).toEqual([true, true, undefined]);
    const [first, ...others] = leases as [TestLease, ...TestLease[]];
    expect(await first.page.evaluate("1 + 1")).toBe(2);
    const pid = chromeOf(first)?.pid ?? 0;
    await first[Symbol.asyncDispose]();
    await until(() => membersOf(pid).length === 0 && infoOf(chromes[2] ?? "")?.retired === true);
    expect(others.map(({ lost }) => lost.aborted)).toEqual([false, false, false]);
    await Promise.all(others.map((lease) => lease[Symbol.asyncDispose]()));
  });

  it("leave no way out to a context that cannot be closed: it is refused everything, and its port is nobody else's until its Chrome has ended", async () => {
    await idle();
    const [beside, broken] = [await take(), await take()];
    const chrome = chromeOf(beside);
    expect(chromeOf(broken)?.pid).toBe(chrome?.pid);
    broken.page.browserContext().close = () => Promise.reject(new Error("Not now"));
    await broken[Symbol.asyncDispose]();
    expect(broken.egress).toMatchObject({ isCut: true, isOpen: true });
    await until(() => infoOf(chrome?.browser_id ?? "")?.retired === true); // what is at work in it should not stay for long
    expect(broken.egress.isOpen).toBe(true);
    expect(beside.lost.aborted).toBe(false);
    await beside[Symbol.asyncDispose]();
    await until(() => !broken.egress.isOpen);
    expect(membersOf(chrome?.pid ?? 0)).toEqual([]);
  });

  it("leave nothing of a context that comes too late, or whose tab does not come", async () => {
    await using lease = await take();
    const { browser } = lease;
    const connection = (await lease.page.createCDPSession()).connection() as Connection;
    const sessions: CDPSession[] = [];
    connection.on(CDPSessionEvent.SessionAttached, (session: CDPSession) => sessions.push(session));
    for (const late of ["context", "tab"]) {
      const [egress, gate, stop, waits] = [
        await openTestEgress(),
        Promise.withResolvers<void>(),
        new AbortController(),
        Promise.withResolvers<void>(),
      ];
      const wait = () => {
        waits.resolve();
        return gate.promise;
      };
      const kept = new KeptListeners(quiet);
      let context: BrowserContext | null = null;
      const newContext = async () => {
        context = await browser.createBrowserContext();
        const { newPage } = context;
        context.newPage = async () => {
          const page = await newPage.call(context);
          page.setViewport = wait;
          return page;
        };
        if (late === "context") await wait();
        return context;
      };
      const host = { kept, closeContext: (each: BrowserContext) => each.close(), doubt: async () => {} };
      const opening = openTab(host, { browser, newContext, egress, viewport: VIEWPORT }, stop.signal);
      await waits.promise;
      stop.abort(new Error("Too late"));
      await expect(opening).rejects.toThrow("Too late");
      expect(egress.isCut).toBe(true);
      if (late === "context") expect([kept.size, egress.isOpen]).toEqual([1, true]);
      gate.resolve();
      await until(() => !egress.isOpen);
      expect(kept.size).toBe(0);
      expect(browser.browserContexts()).not.toContain(context);
    }
    await until(() => sessions.length > 2 && sessions.every(({ detached }) => detached)); // that to the browser process too
  });

  it("are all told when the Chrome stops answering; it is killed, and the next run has another", async () => {
    await idle();
    const leases = [await take(), await take()];
    const pid = chromeOf(leases[0] as TestLease)?.pid;
    if (!pid) throw new Error("There is no Chrome to stop");
    process.kill(pid, "SIGSTOP");
    for (const lease of leases) expect(await aborted(lease.lost)).toMatchObject({ code: "BROWSER_CRASHED" });
    await using next = await take();
    expect(await next.page.evaluate("1 + 1")).toBe(2);
    await Promise.all(leases.map((lease) => lease[Symbol.asyncDispose]()));
    await until(() => membersOf(pid).length === 0);
  });

  it("leave a Chrome that is older or larger than it may be", async () => {
    const options = { isolation: "context", warm: 1, spareCheckMs: 1_000 } as const;
    await using aging = await openPool({ ...options, spareMaxAgeMs: 1 });
    await using growing = await openPool({ ...options, spareMaxBytes: 1 });
    const first = [aging, growing].flatMap(({ dataDir }) => chromesUnder(dataDir).slice(0, 1));
    expect(first).toHaveLength(2);
    for (const pid of first) await until(() => membersOf(pid).length === 0);
  });
});

describe("what a Chrome that runs share may take", () => {
  it.each<[string, Parameters<typeof mostBytes>, number]>([
    ["is its own limit while a run is in it", [true, { maxIdleBytes: 300, maxBytes: 2_000 }], 2_000],
    ["is that of a spare too while none is", [false, { maxIdleBytes: 300, maxBytes: 2_000 }], 300],
    ["is never more than its own limit", [false, { maxIdleBytes: 3_000, maxBytes: 2_000 }], 2_000],
    ["is what the one limit says that there is", [false, { maxIdleBytes: 0, maxBytes: 2_000 }], 2_000],
    ["is as much as it likes without a limit", [true, { maxIdleBytes: 300, maxBytes: 0 }], Number.POSITIVE_INFINITY],
  ])("%s", (_, given, expected) => expect(mostBytes(...given)).toBe(expected));
});

describe("the ways out of one network", () => {
  it("lead each to its own listener, by the address that was dialled; what has none is hung up on", async () => {
    const server = createServer().listen(0, "0.0.0.0");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const taken: string[] = [];
    const egress = (name: string) => ({ take: (socket: Socket) => void socket.end(name, () => taken.push(name)) });
    const ways = new WaysOut(egress("ground"));
    server.on("connection", (socket) => ways.take(socket));
    const [first, second] = [ways.open(egress("first")), ways.open(egress("second"))];
    const dial = async (url: string) => {
      const socket = connect(port, new URL(url).hostname).setEncoding("utf8");
      let said = "";
      socket.on("data", (text) => (said += text)).on("error", () => {});
      await once(socket, "close");
      return said;
    };
    expect([first.proxyUrl, second.proxyUrl]).toEqual(["http://127.0.0.2:3128", "http://127.0.0.3:3128"]);
    const all = ["http://127.0.0.1:3128", first.proxyUrl, second.proxyUrl, "http://127.0.0.4:3128"];
    expect(await Promise.all(all.map(dial))).toEqual(["ground", "first", "second", ""]);
    await first[Symbol.asyncDispose]();
    expect(await dial(first.proxyUrl)).toBe("");
    const rest = Array.from({ length: 251 }, () => ways.open(egress("other")).proxyUrl);
    expect(new Set([...rest, first.proxyUrl, second.proxyUrl]).size).toBe(253);
    expect(() => ways.open(egress("one too many"))).toThrow("no way out left");
    await ways[Symbol.asyncDispose]();
    expect(await Promise.all(all.map(dial))).toEqual(["", "", "", ""]);
    server.close();
  });
});
