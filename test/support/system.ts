/** The whole system for tests: an edge and nodes as processes of their own, on free ports and a temporary folder, with the demo dashboard beside it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pause } from "../../shared/deadline.ts";
import { openDashboard } from "../fixtures/dashboard/dashboard.ts";
import { type Client, createClient } from "./client.ts";
import { INHERITED } from "./environment.ts";
import { copyStoreSeed } from "./store-seed.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const API_KEYS = {
  admin: "admin-key-0123456789",
  writer: "writer-key-0123456789",
  other: "other-key-0123456789",
  reader: "reader-key-0123456789",
};
const TOKEN = "pool-token-0123456789";
const NODE_ARGS = ["--max-semi-space-size=4", "--heap-growing-percent=20", "pool/main.ts"]; // as `npm run pool` and `npm start` do, and the next
const NODE_MALLOC = { MALLOC_ARENA_MAX: "2", MALLOC_MMAP_THRESHOLD_: "262144" };
const READY_LIMIT_MS = 60_000; // a busy machine starts Chrome slowly

export type Started = {
  process: ChildProcess;
  url: string;
  /** All it has written, stdout and stderr. */
  output(): string;
  /** Resolves when it has ended, however. */
  exited: Promise<unknown>;
  end(signal?: NodeJS.Signals): Promise<void>;
};

export type AddedNode = Started & {
  dataDir: string;
  chromeFolder: string;
  /** Starts it anew on the same data and the same port. */
  restart(): Promise<AddedNode>;
};

export type TestSystem = AsyncDisposable & {
  url: string;
  dataDir: string;
  dashboard: Awaited<ReturnType<typeof openDashboard>>;
  /** Clients by key: `admin` has every scope, `writer` and `other` have runs, `reader` read. */
  as: Record<keyof typeof API_KEYS, Client>;
  edge: Started;
  node: Started;
  token: string;
  /** Starts the node anew on the same data and the same port. */
  restartNode(env?: Record<string, string>): Promise<void>;
  /** Another node, with a folder of its own; `env` says what it shares with the first. */
  addNode(env?: Record<string, string>): Promise<AddedNode>;
  /** Another edge, on Node, and the key `writer` there. */
  addEdge(): Promise<Started & { writer: Client }>;
  /** Folders of staged runs that are still there. */
  leftovers(): Promise<string[]>;
  /** Below it each Chrome of the first node has a folder, and bears its path in its command line. */
  chromeFolder: string;
};

type Options = { env?: Record<string, string>; slowMs?: number; edgeEnv?: Record<string, string>; runtime?: "node" | "deno" };

export async function openTestSystem({ env = {}, edgeEnv = {}, slowMs = 20, runtime = "node" }: Options = {}): Promise<TestSystem> {
  await using opened = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "us-e2e-"));
  opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  if (env.DATABASE_URL === undefined) await copyStoreSeed(dataDir);
  const dashboard = opened.use(await openDashboard({ slowMs }));
  await mkdir(join(dataDir, "playbooks"), { recursive: true });
  const [nodePort, edgePort] = [await freePort(), await freePort()];
  const { port } = new URL(dashboard.url);
  const nodeEnv = {
    ...NODE_MALLOC,
    POOL_PORT: String(nodePort),
    POOL_TOKEN: TOKEN,
    POOL_SLOTS: "2",
    DATA_DIR: dataDir,
    CHROME_SANDBOX: "auto",
    POOL_PRIVATE_NETWORKS: `127.0.0.1/32:${port}`,
    LOG_LEVEL: "debug",
    ...env,
  };
  const startNode = (more: Record<string, string> = {}) => start(NODE_ARGS, { ...nodeEnv, ...more }, `http://127.0.0.1:${nodePort}`);
  let node = await startNode();
  opened.defer(() => node.end());
  const chromeFolder = env.CHROME_WS_ENDPOINTS ? "none: its Chromes are remote" : await chromeFolderOf(node.url);
  const edgeArgs = runtime === "deno" ? ["run", "--allow-net", "--allow-env", "--allow-read", "edge/main.ts"] : ["edge/main.ts"];
  const edgeEnvOf = (edgePort: number) => ({
    EDGE_PORT: String(edgePort),
    EDGE_API_KEYS: `admin:runs+pool:${API_KEYS.admin},writer:runs:${API_KEYS.writer},other:runs:${API_KEYS.other},reader:read:${API_KEYS.reader}`,
    POOL_TOKEN: TOKEN,
    POOL_NODES: node.url,
    ...edgeEnv,
  });
  const edge = await start(
    edgeArgs,
    edgeEnvOf(edgePort),
    `http://127.0.0.1:${edgePort}`,
    runtime === "deno" ? join(ROOT, "node_modules/.bin/deno") : process.execPath,
  );
  opened.defer(() => edge.end());
  const as = Object.fromEntries(Object.entries(API_KEYS).map(([name, key]) => [name, createClient(edge.url, key)])) as TestSystem["as"];
  const kept = opened.move();
  return {
    url: edge.url,
    dataDir,
    dashboard,
    as,
    edge,
    token: TOKEN,
    get node() {
      return node;
    },
    async restartNode(more) {
      await node.end();
      node = await startNode(more);
    },
    chromeFolder,
    async addNode(more) {
      const folder = more?.DATA_DIR ?? (await mkdtemp(join(tmpdir(), "us-e2e-")));
      if (more?.DATA_DIR === undefined) kept.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
      const port = await freePort();
      const again = async (): Promise<AddedNode> => {
        const env = { ...nodeEnv, ...more, DATA_DIR: folder, POOL_PORT: String(port) };
        const added = await start(NODE_ARGS, env, `http://127.0.0.1:${port}`);
        kept.defer(() => added.end());
        return { ...added, dataDir: folder, chromeFolder: await chromeFolderOf(added.url), restart: again };
      };
      return again();
    },
    async addEdge() {
      const port = await freePort();
      const added = await start(["edge/main.ts"], edgeEnvOf(port), `http://127.0.0.1:${port}`);
      kept.defer(() => added.end());
      return { ...added, writer: createClient(added.url, API_KEYS.writer) };
    },
    leftovers: async () => (await readdir(join(dataDir, "work")).catch(() => [])).map((name) => `work/${name}`),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Where a node keeps its Chromes: told by the command line of the one that it launches at start. */
async function chromeFolderOf(nodeUrl: string): Promise<string> {
  const response = await fetch(`${nodeUrl}/admin/browsers`, { headers: { Authorization: `Bearer ${TOKEN}` } });
  const { browsers } = (await response.json()) as { browsers: { pid: number | null }[] };
  const commandLine = await readFile(`/proc/${browsers.find(({ pid }) => pid !== null)?.pid}/cmdline`, "utf8");
  const [, root] = /--user-data-dir=([^\0]+?)\/[0-9a-f]+-\d+\//.exec(commandLine) ?? []; // <root>/<boot>-<n>/…
  if (root === undefined) throw new Error(`No profile in the command line of Chrome: ${commandLine}`);
  return root;
}

/** Starts a program and waits until its /readyz says yes. @throws with its output when it ends before. */
async function start(args: string[], env: Record<string, string>, url: string, runtime = process.execPath): Promise<Started> {
  const child = spawn(runtime, args, {
    cwd: ROOT,
    env: { ...INHERITED, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const exited = once(child, "exit");
  const end = async (signal: NodeJS.Signals = "SIGTERM") => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    child.kill("SIGCONT"); // one that a test has frozen hears it only then
    await exited;
  };
  const until = performance.now() + READY_LIMIT_MS;
  for (;;) {
    const ready = await fetch(`${url}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) return { process: child, url, output: () => output, exited, end };
    if (child.exitCode !== null || performance.now() > until) {
      child.kill("SIGKILL");
      throw new Error(`${args.join(" ")} did not get ready:\n${output}`);
    }
    await pause(25);
  }
}

/** A port that nobody listens on, below those that the system gives out by itself: between now and its use no other server of a test gets it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer().listen(port, "127.0.0.1");
    const listens = await once(server, "listening").then(
      () => true,
      () => false, // taken
    );
    if (!listens) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/** Ids of the processes whose command line holds the text. */
export async function processesWith(text: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => ((await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).includes(text) ? Number(pid) : null)),
  );
  return found.filter((pid) => pid !== null);
}
