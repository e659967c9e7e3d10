/** `npm run demo`: boots an edge and a node, cancels an order on the bundled dashboard through the public API, and checks that it is cancelled. */
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Run } from "../shared/run.ts";
import { DEMO_USER, openDashboard } from "../test/fixtures/dashboard/dashboard.ts";
import { makeFolder } from "./make-folder.ts";
import { exitCode } from "./program.ts";
import { createProgress, type Progress } from "./progress.ts";
import { createRunClient } from "./run-client.ts";
import { nextSignal } from "./signals.ts";
import { openSystem } from "./system.ts";

const ORDER_ID = "12345";
const PLAYBOOK = fileURLToPath(new URL("../examples/cancel-order.yaml", import.meta.url));
const LOG_TAIL_LINES = 20;

/** The demo shows the embedded defaults, whatever this shell is set up for; only which Chrome is the machine's matter. */
const OURS = /^(POOL_|EDGE_|CHROME_WS|DATABASE_URL|VOLUME_URL|SECRETS_KEY|RETENTION_DAYS|LLM_|UTILITY_MODEL|OTEL_)/;

const progress = createProgress(process.stdout);
const folder = resolve(process.env.DATA_DIR || "./data", "demo");
const logFile = join(folder, "demo.log");
const [stop, atOnce] = [new AbortController(), new AbortController()];
let asked: NodeJS.Signals | null = null;
nextSignal().then((signal) => {
  asked = signal;
  progress.line();
  progress.line(`${signal}: ending …`);
  stop.abort(new Error(`Ended by ${signal}`));
  nextSignal().then(() => atOnce.abort()); // and so that an echo of the first does not end us with everything left behind
});

try {
  await demo(progress, stop.signal);
} catch (error) {
  if (!stop.signal.aborted) await showFailure(progress, error);
  process.exitCode = asked === null ? 1 : exitCode({ code: null, signal: asked });
}

async function demo({ line, show, styled }: Progress, signal: AbortSignal): Promise<void> {
  makeFolder(folder, "DATA_DIR");
  await using log = await open(logFile, "w", 0o600);
  const dataDir = await mkdtemp(join(folder, "system-")); // of its own: two demos may run at once
  await using _gone = { [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }) };
  await using dashboard = await openDashboard();
  line(styled("bold", `Understudy demo: cancel order ${ORDER_ID}`));
  line(`  dashboard  ${dashboard.url}`);

  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name)));
  const system = await openSystem({
    environment: {
      ...environment,
      DATA_DIR: dataDir,
      POOL_PORT: "0",
      EDGE_PORT: "0",
      POOL_SLOTS: "1",
      POOL_PRIVATE_NETWORKS: `127.0.0.1/32:${dashboard.port}`,
      POOL_DRAIN_GRACE_S: "0",
    },
    output: log.fd,
    signal,
    atOnce: atOnce.signal,
  });
  try {
    line(`  edge       ${system.url}`);
    line(`  node       ${system.nodeUrl}, logs in ${shown(logFile)}`);
    line();
    const api = createRunClient(system.url, system.keys.apiKey, AbortSignal.any([signal, brokenSignal(system.broken)]));
    const { run_id } = await api.create({
      playbook: await readFile(PLAYBOOK, "utf8"),
      params: { order_id: ORDER_ID, reason: "Ordered by mistake", dashboard: dashboard.url },
      credentials: DEMO_USER,
      labels: { demo: "cancel-order" },
    });
    line(`POST /runs → run ${run_id}`);
    for await (const { event } of api.events(run_id)) show(event);

    const run = await api.read(run_id);
    const saved = await api.download(run_id, join(folder, "recordings", run_id));
    line();
    line(`Trace        ${shown(saved.trace)} (${Math.ceil(saved.bytes / 1024)} KB, ${saved.source})`);
    line(`Screenshots  ${shown(join(saved.trace, "../screenshots"))} (${saved.screenshots})`);
    line(`View it      npx playwright-core show-trace --port 0 ${shown(saved.trace)}`);
    line("             or drop the file on https://trace.playwright.dev, which opens it inside your browser");
    line("             An edge that stays up (npm start) gives a link to it: GET /runs/{run_id}/recording/viewer");
    line();
    judge(run, dashboard.state.orders.get(ORDER_ID)?.status);
    line(styled("green", `✓ The dashboard itself says: order ${ORDER_ID} is cancelled.`));
  } finally {
    await system.end();
  }
}

/** @throws unless the run completed and the dashboard agrees with it */
function judge(run: Run, status: string | undefined): void {
  if (run.error) throw new Error(`Run ${run.run_id} is ${run.status}: ${run.error.code}, ${run.error.message}`);
  if (status !== "Cancelled") throw new Error(`The run is ${run.status}, yet on the dashboard order ${ORDER_ID} is ${status}`);
}

/** Aborts when a part of the system ends by itself: nobody will answer then. */
function brokenSignal(broken: Promise<{ name: string }>): AbortSignal {
  const controller = new AbortController();
  broken.then(({ name }) => controller.abort(new Error(`${name} has ended by itself`)));
  return controller.signal;
}

/** A path as one would type it here. */
function shown(path: string): string {
  const fromHere = relative("", path);
  return fromHere.startsWith("..") ? path : fromHere;
}

async function showFailure({ line, styled }: Progress, error: unknown): Promise<void> {
  line();
  line(styled("red", `The demo failed. ${error instanceof Error ? error.message : error}`));
  const text = await readFile(logFile, "utf8").catch(() => ""); // it failed before there was one
  if (text === "") return;
  line(`The end of ${shown(logFile)}:`);
  for (const each of text.trimEnd().split("\n").slice(-LOG_TAIL_LINES)) line(styled("dim", `  ${inShort(each)}`));
}

/** A log line without its fields and stacks; what is no JSON stays as it is. */
function inShort(text: string): string {
  try {
    const { level, message, error } = JSON.parse(text) as { level: string; message: string; error?: { message?: string } };
    return `${level} ${message}${error?.message ? `: ${error.message}` : ""}`;
  } catch {
    return text;
  }
}
