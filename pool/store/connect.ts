/** Opens the store: embedded PGlite under DATA_DIR, or a Postgres server. The SQL is the same for both. */
import { join } from "node:path";
import type { Log } from "../telemetry/log.ts";
import { openEmbedded } from "./embedded.ts";
import { lockDataDir } from "./lock.ts";
import { migrate } from "./schema.ts";
import { openServer } from "./server.ts";
import type { Sql, Store } from "./sql.ts";

export type { Sql, Store };

/** Locks DATA_DIR, opens the store, and brings its tables up to date. @throws CONFLICT when another process has DATA_DIR. */
export async function openStore(options: { dataDir: string; databaseUrl: string | null; log: Log }): Promise<Store> {
  await using opened = new AsyncDisposableStack();
  opened.use(lockDataDir(options.dataDir));
  const store = opened.use(
    options.databaseUrl === null
      ? await openEmbedded(join(options.dataDir, "store"), options.log)
      : await openServer(options.databaseUrl, options.log),
  );
  await migrate(store);
  const kept = opened.move();
  return { ...store, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
