/** The embedded store: PGlite, a Postgres in this process, on a directory. What it needs of us is in docs/findings.md. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { setFlagsFromString } from "node:v8";
import type { PGlite, Transaction } from "@electric-sql/pglite";
import { extract } from "tar";
import { withDeadline } from "../../shared/deadline.ts";
import type { Store } from "./sql.ts";

/** 128 MB by default, for data that is in the system's page cache anyway; once touched, a page of it stays with the node. */
const SHARED_BUFFERS = "4MB";

export async function openEmbedded(dir: string): Promise<Store> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const database = await openPglite(dir);
  const exclusive = createMutex();

  const store: Store = {
    kind: "embedded",
    query: (text, values) =>
      exclusive(() =>
        run<never>(database, text, values).catch(async (error: unknown) => {
          // A script of several statements may have failed between its BEGIN and COMMIT; there is one connection, and the next must not inherit that.
          if (values === undefined) await database.exec("ROLLBACK");
          throw error;
        }),
      ),
    transaction: (work) => exclusive(() => database.transaction((tx) => work({ query: (text, values) => run<never>(tx, text, values) }))),
    async listen(channel, on) {
      const stop = await exclusive(() => database.listen(channel, on));
      return { [Symbol.asyncDispose]: () => exclusive(() => stop()) };
    },
    healthy: () =>
      withDeadline(2_000, () => store.query("SELECT 1")).then(
        () => true,
        () => false,
      ),
    [Symbol.asyncDispose]: () => exclusive(() => database.close()),
  };
  return store;
}

/** `query` speaks the extended protocol (one statement, values), `exec` the simple one (several, none). */
async function run<R>(database: PGlite | Transaction, text: string, values: unknown[] | undefined): Promise<R[]> {
  if (values !== undefined) return (await database.query<R>(text, values)).rows as R[];
  return (await database.exec(text)).flatMap((result) => result.rows as R[]);
}

/** Imported late: V8 must know these flags before it compiles the wasm. With its optimising compiler at work the peak is 724 MB, without 184. */
async function openPglite(dir: string): Promise<PGlite> {
  setFlagsFromString("--no-wasm-tier-up");
  setFlagsFromString("--no-wasm-dynamic-tiering");
  if (!existsSync(join(dir, "PG_VERSION"))) await makeFiles(dir);
  const { PGlite } = await import("@electric-sql/pglite");
  return PGlite.create({
    dataDir: dir,
    startParams: [...PGlite.defaultStartParams, "-c", `shared_buffers=${SHARED_BUFFERS}`],
  });
}

/** The first start of all: `initdb` takes five seconds here, what it makes comes with PGlite's own package. Broken off, it is begun again by the next. */
async function makeFiles(dir: string): Promise<void> {
  const { dataDir } = await import("@electric-sql/pglite-prepopulatedfs");
  const making = `${dir}.making`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { mode: 0o700 });
  const archive = (await dataDir()).stream() as ReadableStream<Uint8Array>;
  await pipeline(Readable.fromWeb(archive), extract({ cwd: making, onwarn: failUnlessInfo }));
  await rename(making, dir); // onto the empty folder
}

/** The archive's paths are absolute, which `tar` takes off and remarks on. */
function failUnlessInfo(code: string, message: string | Error): void {
  if (code !== "TAR_ENTRY_INFO") throw message instanceof Error ? message : new Error(message);
}

/** One at a time, in order of calls. PGlite works on this thread: between two that wait, the event loop gets its turn. */
function createMutex(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let pending = 0;
  return <T>(work: () => Promise<T>) => {
    const start = pending > 0 ? last.then(nextTurn, nextTurn) : Promise.resolve();
    pending += 1;
    const turn = start.then(work).finally(() => {
      pending -= 1;
    });
    last = turn;
    return turn;
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
