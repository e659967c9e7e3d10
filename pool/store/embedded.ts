/** The embedded store: PGlite, a Postgres in this process, on a directory, spoken to as a server is. What it needs of us is in docs/findings.md. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import type { PGlite } from "@electric-sql/pglite";
import { Client, type ClientConfig, type Notification } from "pg";
import { withDeadline } from "../../shared/deadline.ts";
import { makeFolder } from "../../start/make-folder.ts";
import type { Log } from "../telemetry/log.ts";
import { type Ask, beginAndCommit, send } from "./connection.ts";
import { openWire } from "./pglite-wire.ts";
import type { Store } from "./sql.ts";

/** 128 MB by default, for data that is in the system's page cache anyway; once touched, a page of it stays with the node. */
const SHARED_BUFFERS = "4MB";

/** Statements with values that keep a plan: ours and pg-boss's are some eighty, and none is made anew for each call. */
const PLANS = 300;

export async function openEmbedded(dir: string, log: Log): Promise<Store> {
  makeFolder(dir, "DATA_DIR");
  const database = await openPglite(dir);
  const client = await connect(database).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
  client.on("error", (error) => log.error("The embedded store broke", { error })); // and each statement from then on fails
  const exclusive = createMutex();
  const planOf = createNames();
  const ask: Ask = (text, values) => send<never>(client, text, values, values ? planOf(text) : {});
  const rollBack = () => client.query("ROLLBACK").catch(() => {}); // it broke: what is told is why

  const store: Store = {
    kind: "embedded",
    query: async (text, values) =>
      exclusive(async () => {
        try {
          return (await ask<never>(text, values)).rows;
        } catch (error) {
          // A script of several statements may have failed between its BEGIN and COMMIT; there is one connection, and the next must not inherit that.
          if (values === undefined) await rollBack();
          throw error;
        }
      }),
    transaction: (work) =>
      exclusive(async () => {
        try {
          return await beginAndCommit(ask, work);
        } catch (error) {
          await rollBack();
          throw error;
        }
      }),
    async listen(channel, on) {
      const hear = (message: Notification) => message.channel === channel && on(message.payload ?? "");
      await store.query(`LISTEN ${channel}`);
      client.on("notification", hear);
      // Left, the connection goes on listening: channels are few and never made anew.
      return { [Symbol.asyncDispose]: async () => void client.off("notification", hear) };
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

async function connect(database: PGlite): Promise<Client> {
  const here = { user: "postgres", database: "postgres", ssl: false, sslnegotiation: "postgres" }; // whatever PGSSLMODE and such say of servers
  const client = new Client({ ...here, stream: () => openWire(database) } as ClientConfig);
  await client.connect();
  return client;
}

/** A name for each text, by which Postgres keeps it parsed and planned; `VACUUM ANALYZE` (upkeep.ts) has it plan anew. */
function createNames(): (text: string) => { name?: string } {
  const names = new Map<string, { name: string }>();
  return (text) => {
    const known = names.get(text);
    if (known || names.size >= PLANS) return known ?? {};
    const fresh = { name: `s${names.size}` };
    names.set(text, fresh);
    return fresh;
  };
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
  const [{ dataDir }, { extract }] = await Promise.all([import("@electric-sql/pglite-prepopulatedfs"), import("tar")]);
  const making = `${dir}.making`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { mode: 0o700 });
  const files = extract({ cwd: making, onwarn: failUnlessInfo, sync: true }); // a thousand small ones: by the thread pool they take twice as long
  for await (const chunk of (await dataDir()).stream()) files.write(Buffer.from(chunk));
  files.end();
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
