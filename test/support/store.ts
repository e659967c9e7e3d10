/** Stores for tests: the embedded one on a temporary folder, or a database of a real Postgres. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type JobQueue, openQueue } from "../../pool/queue/boss.ts";
import type { DispatchDeps } from "../../pool/queue/dispatch.ts";
import { openStore, type Store } from "../../pool/store/connect.ts";
import { EventWriter } from "../../pool/store/events.ts";
import type { Owner } from "../../pool/store/fence.ts";
import type { ClockLimits, NewRun } from "../../pool/store/runs.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import type { Guardrails } from "../../shared/guardrails.ts";
import { newRunId } from "../../shared/ids.ts";
import { CreateRunSchema } from "../../shared/run.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "./postgres.ts";

export const quiet = createLog("silent");
export const CLOCK_LIMITS: ClockLimits = { queue: 600, start: 30, idle: 120 };
export const OWNER: Owner = { node_id: "node-a", boot_id: "boot-1", node_url: "http://127.0.0.1:7070" };

const GUARDRAILS: Guardrails = {
  allowed_domains: null,
  blocked_domains: [],
  max_urls_visited: 50,
  max_consecutive_errors: 5,
  allow_private_networks: false,
  enable_llm_action_check: true,
  stuck_window_size: 12,
  stuck_repeat_hint: 3,
  stuck_repeat_warn: 5,
  stuck_repeat_stop: 7,
  stuck_cycle_max_length: 3,
  stuck_cycle_repeats: 3,
  stuck_revisit_gap: 5,
  stuck_failure_cluster_window: 5,
  stuck_failure_cluster_threshold: 3,
};

/** A run as a client could have posted it. */
export function newRun(body: Record<string, unknown> = {}, more: Partial<NewRun> = {}): NewRun {
  const { credentials: _credentials, ...request } = CreateRunSchema.parse({ directive: "cancel order 12345", ...body });
  return {
    run_id: newRunId(),
    api_key_name: "tester",
    request,
    playbook: null,
    params: {},
    guardrails: GUARDRAILS,
    sealed_credentials: null,
    ...more,
  };
}

/** Everything around one store that a node has. */
export type TestStore = AsyncDisposable & { store: Store; queue: JobQueue; writer: EventWriter; deps: DispatchDeps; dataDir: string };
export type StoreKind = "embedded" | "server";

/** For describe.each: both kinds, or the one that this machine has. */
export const STORE_KINDS: StoreKind[] = postgresMissing === null ? ["embedded", "server"] : ["embedded"];

let postgres: Promise<TestPostgres> | null = null;
let seed: Promise<string> | null = null;

/** A store of this kind, new and empty, with its queue and a writer. */
export async function openTestStore(
  kind: StoreKind,
  options: { dataDir?: string; databaseUrl?: string; queueMax?: number } = {},
): Promise<TestStore> {
  await using opened = new AsyncDisposableStack();
  const dataDir = options.dataDir ?? (await emptyDataDir(kind, opened));
  const databaseUrl = options.databaseUrl ?? (kind === "server" ? await (await sharedPostgres()).createDatabase() : null);
  const store = opened.use(await openStore({ dataDir, databaseUrl, log: quiet }));
  const queue = opened.use(await openQueue({ store, log: quiet }));
  const settle = async (tx: Parameters<JobQueue["settle"]>[0], attempt: Parameters<JobQueue["settle"]>[1]) => {
    await queue.settle(tx, attempt);
  };
  const writer = new EventWriter({ store, settle, log: quiet });
  const deps = { store, queue, queueMax: options.queueMax ?? 1000, clockLimits: CLOCK_LIMITS };
  const kept = opened.move();
  return { store, queue, writer, deps, dataDir, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** A database server for this test file. Call `closeShared` in afterAll. */
export function sharedPostgres(): Promise<TestPostgres> {
  postgres ??= startPostgres();
  return postgres;
}

/** A folder for an embedded store that has been started once before: its first start takes seconds. */
export async function emptyDataDir(kind: StoreKind, stack: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "us-store-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  if (kind === "embedded") {
    seed ??= makeSeed();
    await cp(await seed, dir, { recursive: true });
  }
  return dir;
}

async function makeSeed(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "us-seed-"));
  await using _opened = await openTestStore("embedded", { dataDir: dir });
  return dir;
}

/** Ends what the tests of a file shared. */
export async function closeShared(): Promise<void> {
  await (await postgres)?.[Symbol.asyncDispose]();
  if (seed) await rm(await seed, { recursive: true, force: true });
  postgres = null;
  seed = null;
}
