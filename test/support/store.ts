/** Stores for tests: the embedded one on a temporary folder, or a database of a real Postgres. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect } from "vitest";
import { type JobQueue, openQueue } from "../../pool/queue/boss.ts";
import type { Claim } from "../../pool/queue/claim.ts";
import { createRun, type DispatchDeps } from "../../pool/queue/dispatch.ts";
import { openStore, type Store } from "../../pool/store/connect.ts";
import { EventWriter } from "../../pool/store/events.ts";
import type { Owner } from "../../pool/store/fence.ts";
import type { NewRun } from "../../pool/store/runs.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "./postgres.ts";
import { CLOCK_LIMITS, claimant, newRun, OWNER, quiet } from "./run-fixtures.ts";
import { copyStoreSeed } from "./store-seed.ts";

/** Everything around one store that a node has. */
export type TestStore = AsyncDisposable & {
  store: Store;
  queue: JobQueue;
  writer: EventWriter;
  deps: DispatchDeps;
  dataDir: string;
  databaseUrl: string | null;
};
export type StoreKind = "embedded" | "server";

/** Of this worker: its files share them, as they share what they import. They end with the run, in whose folder they live: see `run-folder.ts`. */
let postgres: Promise<TestPostgres> | null = null;
const shared = new Map<StoreKind, Promise<TestStore>>();

/** A store of this kind, new and empty, with its queue and a writer. */
export async function openTestStore(
  kind: StoreKind,
  options: { dataDir?: string; databaseUrl?: string; queueMax?: number; keepDataDir?: AsyncDisposableStack } = {},
): Promise<TestStore> {
  await using opened = new AsyncDisposableStack();
  const dataDir = options.dataDir ?? (await emptyDataDir(kind, options.keepDataDir ?? opened));
  const databaseUrl = options.databaseUrl ?? (kind === "server" ? await (await sharedPostgres()).createDatabase() : null);
  const store = opened.use(await openStore({ dataDir, databaseUrl, log: quiet }));
  const queue = opened.use(await openQueue({ store, log: quiet }));
  const settle = async (tx: Parameters<JobQueue["settle"]>[0], attempt: Parameters<JobQueue["settle"]>[1]) => {
    await queue.settle(tx, attempt);
  };
  const writer = new EventWriter({ store, settle, log: quiet });
  const deps = { store, queue, queueMax: options.queueMax ?? 1000, clockLimits: CLOCK_LIMITS };
  const kept = opened.move();
  return { store, queue, writer, deps, dataDir, databaseUrl, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** A database server that stays as it is: for a database of one's own. */
export function sharedPostgres(): Promise<TestPostgres> {
  postgres ??= startPostgres({ parent: process.env.TEST_RUN_FOLDER });
  return postgres;
}

/** Opened once for all: half of what a file of tests of a store takes is the opening of it. */
async function openShared(kind: StoreKind): Promise<TestStore> {
  const dataDir = await mkdtemp(join(process.env.TEST_RUN_FOLDER ?? tmpdir(), "us-store-"));
  if (kind === "embedded") await copyStoreSeed(dataDir);
  return await openTestStore(kind, { dataDir });
}

/** A folder for an embedded store that has been started once before: its first start takes seconds. */
async function emptyDataDir(kind: StoreKind, stack: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "us-store-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  if (kind === "embedded") await copyStoreSeed(dir);
  return dir;
}

const KINDS: StoreKind[] = ["embedded", "server"];

/** The same tests on both kinds of store: one open store of each for all tests, emptied after each. */
export function eachStore(title: string, tests: (opened: () => TestStore, kind: StoreKind) => void, kinds = KINDS): void {
  for (const kind of kinds) {
    const missing = kind === "server" ? postgresMissing : null;
    describe.skipIf(missing !== null)(`${title} (${kind}${missing === null ? "" : `: ${missing}`})`, () => {
      let opened: TestStore;
      beforeAll(async () => {
        if (!shared.has(kind)) shared.set(kind, openShared(kind));
        opened = await (shared.get(kind) as Promise<TestStore>);
      });
      afterEach(async () => {
        await opened.store.query(
          `TRUNCATE understudy.runs, understudy.events, understudy.idempotency, understudy.key_posts, understudy.deleted_runs, understudy.nodes, understudy.proposals, understudy.playbook_versions,
             understudy.playbook_heads, understudy.step_counts; DELETE FROM understudy_queue.job_common`,
        );
      });
      tests(() => opened, kind);
    });
  }
}

/** Waits until this is so. The machine may be busy: only what never comes takes long. */
export const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 25_000, interval: 10 });

/** A run that a node has claimed: `starting`, with events 1 and 2. */
export async function claimedRun({ deps }: TestStore, run: NewRun = newRun(), owner: Owner = OWNER): Promise<Claim> {
  const { claim } = await createRun(deps, run, { claimFor: claimant(owner), idempotency: null });
  if (claim === null || claim.run.run_id !== run.run_id) throw new Error("The run was not claimed: another waited before it");
  return claim;
}
