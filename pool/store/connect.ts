/** Opens the store: embedded PGlite under DATA_DIR, or a Postgres server. The SQL is the same for both. */
import { join } from "node:path";
import { DatabaseError } from "pg";
import { AppError } from "../../shared/errors.ts";
import type { Log } from "../telemetry/log.ts";
import { openEmbedded } from "./embedded.ts";
import { lockDataDir } from "./lock.ts";
import { migrate } from "./schema.ts";
import { openServer } from "./server.ts";
import { type Sql, type Store, StoreOutage } from "./sql.ts";

export type { Sql, Store };

/** Locks DATA_DIR, opens the store, and brings its tables up to date. @throws CONFLICT when another process has DATA_DIR; SETUP_FAILED: no answer at DATABASE_URL, VALIDATION_FAILED: it refuses us */
export async function openStore(options: { dataDir: string; databaseUrl: string | null; log: Log }): Promise<Store> {
  await using opened = new AsyncDisposableStack();
  opened.use(lockDataDir(options.dataDir));
  const store = opened.use(
    options.databaseUrl === null
      ? await openEmbedded(join(options.dataDir, "store"), options.log)
      : await openServer(options.databaseUrl, options.log).catch(unusable),
  );
  await migrate(store).catch((error: unknown) => {
    if (mayNotMakeTables(error)) unusable(error);
    throw error;
  });
  const kept = opened.move();
  return { ...store, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** An outage may be over at the next start; what the server said, or what the URL itself breaks on, will be said again. */
function unusable(error: unknown): never {
  if (error instanceof StoreOutage) {
    const message = `Cannot reach Postgres (${inShort(error.cause)}): see that it runs, and that DATABASE_URL leads to it`;
    throw new AppError("SETUP_FAILED", message, { cause: error });
  }
  const message = `Cannot use Postgres (${inShort(error)}): set DATABASE_URL to a database that lets this node in`;
  throw new AppError("VALIDATION_FAILED", message, { cause: error });
}

/** A server's own words; of the system's only the code, as its text may repeat the URL. */
function inShort(error: unknown): string {
  if (!(error instanceof Error)) return "no reason was given";
  return !(error instanceof DatabaseError) && "code" in error && typeof error.code === "string" ? error.code : error.message;
}

/** Which happens only on a server, to a user who may connect and no more. */
const mayNotMakeTables = (error: unknown): boolean => error instanceof DatabaseError && error.code === "42501";
