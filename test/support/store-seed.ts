/** An embedded store that has been started once before: its first start takes seconds, which most tests are not about. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openQueue } from "../../pool/queue/boss.ts";
import { openStore } from "../../pool/store/connect.ts";
import { quiet } from "./run-fixtures.ts";

/** Fills a node's empty `DATA_DIR`. */
export async function copyStoreSeed(dataDir: string): Promise<void> {
  await cp(join(await seed(), "store"), join(dataDir, "store"), { recursive: true });
}

/** Made once for this state of the schema and the libraries, and kept among other caches. */
async function seed(): Promise<string> {
  const root = new URL("../../", import.meta.url);
  const sources = ["pool/store/schema.ts", "pool/queue/boss.ts", "package-lock.json"].map((path) => readFileSync(new URL(path, root)));
  const hash = createHash("sha256").update(Buffer.concat(sources)).digest("hex").slice(0, 16);
  const cache = fileURLToPath(new URL("node_modules/.cache/understudy/", root));
  const dir = join(cache, `store-${hash}`);
  if (existsSync(dir)) return dir;
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(join(cache, "making-"));
  {
    await using store = await openStore({ dataDir: making, databaseUrl: null, log: quiet });
    await using _queue = await openQueue({ store, log: quiet });
  }
  await rename(making, dir).catch(() => rm(making, { recursive: true })); // another test file was faster
  return dir;
}
