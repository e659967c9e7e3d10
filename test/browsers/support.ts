/** A pool of real Chromes for these tests, and eyes for what it leaves on the machine. Processes are told by group and folder: others run Chromes too. */
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browsers, type BrowsersOptions, openBrowsers } from "../../pool/browsers/browsers.ts";
import type { Egress } from "../../pool/browsers/held-browser.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import { pause } from "../../shared/deadline.ts";

export const VIEWPORT = { width: 1280, height: 720 };
export const quiet = createLog("silent");
export const soon = () => AbortSignal.timeout(25_000);

export type TestEgress = Egress & { readonly asked: string[]; readonly isOpen: boolean; readonly isCut: boolean };

/** A forward proxy that lets everything through and writes down what was asked for. */
export async function openTestEgress(): Promise<TestEgress> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((incoming, outgoing) => {
    if (isCut) return void outgoing.writeHead(403).end();
    asked.push(incoming.url ?? "");
    const upstream = request(incoming.url ?? "", { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    upstream.on("error", () => outgoing.writeHead(502).end());
    incoming.pipe(upstream);
  });
  server.on("connect", (incoming, socket) => {
    asked.push(incoming.url ?? "");
    socket.on("error", () => socket.destroy()); // a killed Chrome resets its connections
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  server.on("connection", (socket: Socket) => sockets.add(socket.once("close", () => sockets.delete(socket))));
  await listen(server);
  return {
    asked,
    get isCut() {
      return isCut;
    },
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    proxyUrl: urlOf(server),
    get isOpen() {
      return server.listening;
    },
    take: (socket) => void server.emit("connection", socket),
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** A web site that answers each path with its page; scripts may be kept. */
export async function openSite(pages: Record<string, string> = { "/": "<title>Shop</title>" }) {
  const hits: string[] = [];
  const server = createServer((incoming, outgoing) => {
    hits.push(incoming.url ?? "");
    const page = pages[incoming.url ?? ""];
    const headers = incoming.url?.endsWith(".js")
      ? { "content-type": "text/javascript", "cache-control": "max-age=600" }
      : { "content-type": "text/html" };
    outgoing.writeHead(page === undefined ? 404 : 200, headers).end(page ?? "");
  });
  await listen(server);
  return {
    hits,
    url: urlOf(server),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function listen(server: Server): Promise<void> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
}
const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

export type TestPool = Browsers<TestEgress> & { dataDir: string; egresses: TestEgress[] };

/** Its disposal fails the test when a process, a folder or a listener is left. */
export async function openPool(options: Partial<BrowsersOptions<TestEgress>> = {}): Promise<TestPool> {
  const dataDir = options.dataDir ?? tempDir();
  const egresses: TestEgress[] = [];
  const removeData = () => options.dataDir === undefined && rmSync(dataDir, { recursive: true, force: true });
  const browsers = await openBrowsers<TestEgress>({
    nodeId: "node-test",
    slots: 2,
    warm: 0,
    chromePath: null,
    sandbox: "auto",
    profileMib: 1024,
    endpoints: [],
    egressAdvertise: null,
    log: quiet,
    loadPerCpu: () => 0,
    openEgress: async () => {
      const egress = await openTestEgress();
      egresses.push(egress);
      return egress;
    },
    ...options,
    dataDir,
  }).catch((error: unknown) => {
    removeData();
    throw error;
  });
  if ((options.warm ?? 0) === 0) await until(() => browsers.list().length === 0); // the one that showed that Chrome works here
  return {
    dataDir,
    egresses,
    tier: browsers.tier,
    isolation: browsers.isolation,
    lease: (runId, given) => browsers.lease(runId, given),
    list: () => browsers.list(),
    measured: () => browsers.measured(),
    kill: (n) => browsers.kill(n),
    counts: () => browsers.counts(),
    memory: () => browsers.memory(),
    recycle: (n) => browsers.recycle(n),
    ready: () => browsers.ready(),
    async [Symbol.asyncDispose]() {
      await browsers[Symbol.asyncDispose]();
      const left = {
        chromes: chromesUnder(dataDir),
        folders: foldersUnder(dataDir),
        listeners: egresses.filter((each) => each.isOpen).length,
      };
      removeData();
      if (left.chromes.length + left.folders.length + left.listeners > 0) throw new Error(`Left behind: ${JSON.stringify(left)}`);
    },
  };
}

/** Short, so that Chrome's folders are below it, and open to Chrome's own user. */
export function tempDir(): string {
  const path = mkdtempSync(join(tmpdir(), "b-"));
  chmodSync(path, 0o755);
  return path;
}

export const foldersUnder = (dataDir: string): string[] => {
  try {
    return readdirSync(join(dataDir, "browsers"));
  } catch {
    return [];
  }
};

type Stat = { pid: number; state: string; parent: number; group: number };
const living = (): Stat[] =>
  readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const line = readFileSync(`/proc/${name}/stat`, "latin1");
      const [state = "", parent, group] = line.slice(line.lastIndexOf(")") + 2).split(" ");
      return state === "Z" || state === "X" ? [] : [{ pid: Number(name), state, parent: Number(parent), group: Number(group) }];
    } catch {
      return [];
    }
  });

/** Living processes of a group. */
export const membersOf = (group: number): number[] => living().flatMap((each) => (each.group === group ? [each.pid] : []));

/** Browser processes whose profile is below this folder. */
export const chromesUnder = (dataDir: string): number[] =>
  living().flatMap(({ pid }) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      return command.includes(`--user-data-dir=${dataDir}/`) && !/[\0 ]--type=/.test(command) ? [pid] : [];
    } catch {
      return [];
    }
  });

/** Renderer processes of a Chrome, by what they were started as. */
export const renderersOf = (group: number): number[] =>
  membersOf(group).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("--type=renderer");
    } catch {
      return false;
    }
  });

/** Resolves once it holds. The operating system tells nobody of the end of another's process, so this looks again and again. */
export async function until(holds: () => boolean, limitMs = 10_000): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`Not within ${limitMs} ms: ${holds}`);
    await pause(10);
  }
}

/** The reason with which the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });

/** What the kernel says of a process. */
export function securityOf(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const value = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1];
  const pidSpace = readlinkSync(`/proc/${pid}/ns/pid`);
  return { uid: value("Uid"), seccomp: value("Seccomp"), noNewPrivileges: value("NoNewPrivs"), pidSpace };
}

/** Paths of the files that a process has open. */
export function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return []; // closed meanwhile
    }
  });
}
