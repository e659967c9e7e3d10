import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { folderAt, makeFolder } from "../../pool/browsers/browser-folder.ts";
import type { Lease } from "../../pool/browsers/browsers.ts";
import { requireChrome } from "../../pool/browsers/find-chrome.ts";
import { killGroup } from "../../pool/browsers/process-identity.ts";
import { RemoteEndpoint } from "../../pool/browsers/remote-endpoint.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import type { AppError } from "../../shared/errors.ts";
import { aborted, openPool, openSite, soon, type TestEgress, type TestPool, tempDir, until, VIEWPORT } from "./support.ts";

/** A Chrome with a DevTools port, as an operator starts one somewhere. */
async function startRemoteChrome() {
  const dir = tempDir();
  const { profile } = makeFolder(join(dir, "c"), null);
  const chrome = spawn(
    await requireChrome(process.env.CHROME_PATH ?? null),
    ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"],
    { detached: true, stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, TMPDIR: folderAt(join(dir, "c")).tmp } },
  );
  let url = "";
  for await (const line of createInterface(chrome.stderr)) {
    url = /DevTools listening on (ws:\S+)/.exec(line)?.[1] ?? "";
    if (url !== "") break;
  }
  chrome.stderr.resume();
  return {
    url,
    pid: chrome.pid ?? 0,
    /** Pages that this Chrome has, as its own list says. */
    async pages(): Promise<{ url: string }[]> {
      const answer = await fetch(`http://${new URL(url).host}/json/list`);
      return ((await answer.json()) as { type: string; url: string }[]).filter(({ type }) => type === "page");
    },
    async [Symbol.asyncDispose]() {
      killGroup(chrome.pid ?? 0);
      if (chrome.exitCode === null && chrome.signalCode === null) await once(chrome, "exit");
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
type RemoteChrome = Awaited<ReturnType<typeof startRemoteChrome>>;

const DEAD = "ws://127.0.0.1:9/devtools/browser/secret-token";
const take = (pool: TestPool) => pool.lease("run", { signal: soon(), viewport: VIEWPORT });
const openRemotePool = (endpoints: string[], egressAdvertise: string | null = "127.0.0.1") => openPool({ endpoints, egressAdvertise });

describe("remote Chromes", () => {
  let chromes: RemoteChrome[];
  beforeAll(async () => {
    chromes = await Promise.all([startRemoteChrome(), startRemoteChrome()]);
  });
  afterAll(() => Promise.all(chromes.map((each) => each[Symbol.asyncDispose]())));
  const chrome = (i: number) => chromes[i] as RemoteChrome;

  it("are refused without an advertised egress address, unless told otherwise", async () => {
    await expect(openRemotePool([chrome(0).url], null)).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining("POOL_EGRESS_ADVERTISE=none"),
    });
    await using site = await openSite();
    await using pool = await openRemotePool([chrome(0).url], "none");
    await using lease = await take(pool);
    await lease.page.goto(`${site.url}/`);
    expect(lease.egress.asked).toEqual([]);
  });

  it("give each run a context of its own, whose traffic goes through its egress listener", async () => {
    await using site = await openSite();
    await using pool = await openRemotePool([chrome(0).url]);
    expect(pool.tier).toBe("remote");
    await using one = await take(pool);
    await using other = await take(pool);
    await one.page.goto(`${site.url}/`);
    await other.page.goto(`${site.url}/`);
    expect(one.egress.asked).toContain(`${site.url}/`);
    expect(other.egress.asked).toContain(`${site.url}/`);
    await one.page.evaluate("document.cookie = 'run=one'");
    expect(await other.page.evaluate("document.cookie")).toBe("");
    expect(await one.page.evaluate("[innerWidth, innerHeight]")).toEqual([1280, 720]);
    expect(one.downloadsDir).toBeNull();
    expect(pool.list()).toEqual([
      expect.objectContaining({ kind: "remote", state: "busy", pid: null, run_id: "run" }),
      expect.objectContaining({ kind: "remote", state: "busy", pid: null, run_id: "run" }),
    ]);
  });

  it("show a run no page but its own, and follow its popups", async () => {
    await using pool = await openRemotePool([chrome(0).url]);
    await using lease = await take(pool);
    expect(await lease.browser.pages()).toEqual([lease.page]);
    const popup = new Promise((resolve) => lease.page.browserContext().once("targetcreated", resolve));
    await lease.page.evaluate("window.open('about:blank')");
    await popup;
    expect(await lease.page.browserContext().pages()).toHaveLength(2);
  });

  it("keep nothing of a run that is over", async () => {
    const before = (await chrome(0).pages()).length;
    await using pool = await openRemotePool([chrome(0).url]);
    const lease = await take(pool);
    expect((await chrome(0).pages()).length).toBe(before + 1);
    await lease[Symbol.asyncDispose]();
    await lease[Symbol.asyncDispose]();
    expect((await chrome(0).pages()).length).toBe(before);
    expect(lease.lost.aborted).toBe(false);
    expect(pool.list()).toEqual([]);
  });

  it("keep nothing of a run whose node was killed", async () => {
    const before = (await chrome(0).pages()).length;
    const args = [join(import.meta.dirname, "node-process.ts"), "", chrome(0).url];
    const node = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    await once(createInterface(node.stdout), "line");
    expect((await chrome(0).pages()).length).toBe(before + 1);
    node.kill("SIGKILL");
    await expect.poll(async () => (await chrome(0).pages()).length, { timeout: 5_000 }).toBe(before);
  });

  it("are used in turn", async () => {
    await using pool = await openRemotePool([chrome(0).url, chrome(1).url]);
    const leases = await Promise.all([take(pool), take(pool), take(pool), take(pool)]);
    const browsers = leases.map((lease) => lease.browser);
    expect(new Set(browsers).size).toBe(2);
    for (const browser of browsers) expect(browsers.filter((each) => each === browser)).toHaveLength(2);
    const numberOf = (id: string) => Number(id.split(".").at(-1));
    for (const { browserId } of leases) await expect(pool.recycle(numberOf(browserId))).rejects.toMatchObject({ code: "CONFLICT" });
    await Promise.all(leases.map((lease) => lease[Symbol.asyncDispose]()));
  });

  it("are found by their http address too", async () => {
    await using pool = await openRemotePool([`http://${new URL(chrome(0).url).host}`]);
    await using lease = await take(pool);
    expect(await lease.page.evaluate("1 + 1")).toBe(2);
  });

  it("are skipped while they are dead", async () => {
    await using pool = await openRemotePool([DEAD, chrome(0).url]);
    expect(pool.ready()).toEqual([]);
    for (let i = 0; i < 3; i++) {
      await using lease = await take(pool);
      expect(await lease.page.evaluate("1 + 1")).toBe(2);
    }
  });

  it("fail a run when all are dead, and say so without telling the address's secret", async () => {
    await using pool = await openRemotePool([DEAD]);
    const error = await take(pool).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SETUP_FAILED", message: expect.stringContaining("ws://127.0.0.1:9") });
    expect(JSON.stringify([error, (error as Error).message, pool.ready()])).not.toContain("secret-token");
    expect(pool.ready()).toEqual([expect.stringContaining("ws://127.0.0.1:9")]);
    expect(pool.list()).toEqual([]);
  });

  it("are shown user, password and token of their address, which no error repeats", async () => {
    const seen: { url: string | undefined; authorization: string | undefined }[] = [];
    const note = ({ url, headers }: IncomingMessage) => seen.push({ url, authorization: headers.authorization });
    const door = createHttpServer((request, response) => {
      note(request);
      const isChrome = request.url === "/json/version?token=hunter2";
      response.end(isChrome ? JSON.stringify({ webSocketDebuggerUrl: `ws://${request.headers.host}/devtools/browser/b` }) : "hunter2");
    });
    door.on("upgrade", (request, socket) => {
      note(request);
      socket.destroy();
    });
    await once(door.listen(0, "127.0.0.1"), "listening");
    const host = `127.0.0.1:${(door.address() as AddressInfo).port}`;
    const lines: string[] = [];
    const log = createLog("debug", {}, (line) => lines.push(line));
    for (const query of ["?token=hunter2", ""]) {
      await using pool = await openPool({ endpoints: [`http://us%40er:hunter2@${host}/${query}`], egressAdvertise: "127.0.0.1", log });
      const error = (await take(pool).catch((thrown: unknown) => thrown)) as AppError;
      expect(error).toMatchObject({ code: "SETUP_FAILED", message: expect.stringContaining(`http://${host}`) });
      expect(JSON.stringify([error.message, error.details, pool.ready(), lines])).not.toContain("hunter2");
    }
    const authorization = `Basic ${Buffer.from("us@er:hunter2").toString("base64")}`;
    expect(seen.slice(0, 2)).toEqual([
      { url: "/json/version?token=hunter2", authorization },
      { url: "/devtools/browser/b", authorization },
    ]);
    expect(seen.at(-1)).toEqual({ url: "/json/version", authorization });
    door.closeAllConnections();
    door.close();
  });

  it("are hung up on when they take the connection and say nothing in time", async () => {
    const door = createHttpServer();
    const [asked, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    door.on("upgrade", ({ headers }, socket) => {
      const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
      socket.write(`${head.join("\r\n")}\r\n\r\n`);
      socket.on("data", (frame) => (frame[0] === 0x88 ? closed : asked).resolve()); // RFC 6455, 5.2: the last frame of a close
    });
    await once(door.listen(0, "127.0.0.1"), "listening");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const endpoint = new RemoteEndpoint(`ws://127.0.0.1:${(door.address() as AddressInfo).port}/devtools/browser/b`, createLog("silent"));
      const connecting = expect(endpoint.connect()).rejects.toMatchObject({ code: "SETUP_FAILED" });
      await asked.promise;
      vi.advanceTimersByTime(60_000);
      await connecting;
      await closed.promise;
      await endpoint.close();
    } finally {
      vi.useRealTimers();
      door.close();
    }
  });

  it("lose their runs when the connection breaks, and are connected to again", async () => {
    await using pool = await openRemotePool([chrome(1).url]);
    const leases: Lease<TestEgress>[] = [await take(pool), await take(pool)];
    await leases[0]?.browser.disconnect();
    for (const lease of leases) {
      expect(await aborted(lease.lost)).toMatchObject({ code: "BROWSER_CRASHED", details: { what: "disconnected" } });
      await lease[Symbol.asyncDispose]();
    }
    await using again = await take(pool);
    expect(await again.page.evaluate("1 + 1")).toBe(2);
  });

  it("are met again without a run that needs them, so that a node which was not ready becomes so", async () => {
    const address = new URL(chrome(1).url);
    const door = createServer((socket) => socket.destroy());
    door.listen(0, "127.0.0.1");
    await once(door, "listening");
    const { port } = door.address() as AddressInfo;
    await using pool = await openRemotePool([`ws://127.0.0.1:${port}${address.pathname}`]);
    expect(pool.ready()).toHaveLength(1);
    door.removeAllListeners("connection").on("connection", (socket) => {
      const through = connect(Number(address.port), address.hostname);
      socket.pipe(through).pipe(socket);
      socket.on("error", () => through.destroy());
      through.on("error", () => socket.destroy());
    });
    await until(() => pool.ready().length === 0);
    await pool[Symbol.asyncDispose]();
    door.close();
  });

  it("lose their runs when they die", async () => {
    const doomed = await startRemoteChrome();
    await using _ = doomed;
    await using pool = await openRemotePool([doomed.url]);
    await using lease = await take(pool);
    killGroup(doomed.pid);
    expect(await aborted(lease.lost)).toMatchObject({ code: "BROWSER_CRASHED", details: { what: "disconnected" } });
    await until(() => pool.ready().length === 1);
  });
});
