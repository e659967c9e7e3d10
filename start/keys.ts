/** The launchers' secrets: made at the first start, each in a file under DATA_DIR that only its owner may read. */
import { createHash, randomBytes } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../shared/errors.ts";
import { readKept } from "./kept-file.ts";
import { makeFolder } from "./make-folder.ts";

/** `shown`: a launcher has printed the API key before. */
export type Keys = { apiKey: string; apiKeyFile: string; poolToken: string; shown: boolean };

/** The API key and the POOL_TOKEN of this DATA_DIR. */
export async function openKeys(dataDir: string): Promise<Keys> {
  makeFolder(dataDir, "DATA_DIR");
  const apiKeyFile = join(dataDir, "api-key");
  const apiKey = await keepSecret(apiKeyFile, () => `us_${randomBytes(24).toString("base64url")}`);
  const poolToken = await keepSecret(join(dataDir, "pool-token"), () => randomBytes(32).toString("base64url"));
  const shown = await readFile(shownFile(apiKeyFile), "utf8").catch(() => null); // never shown
  return { apiKey, apiKeyFile, poolToken, shown: shown?.trim() === printOf(apiKey) };
}

/** Call it once the API key was printed: a start that fails, or goes by other keys, has shown it to nobody. */
export async function markShown({ apiKey, apiKeyFile }: Keys): Promise<void> {
  await writeFile(shownFile(apiKeyFile), `${printOf(apiKey)}\n`, { mode: 0o600 });
}

const shownFile = (apiKeyFile: string) => `${apiKeyFile}.shown`;
/** Which key was shown: one that took its place has not been. */
const printOf = (apiKey: string) => createHash("sha256").update(apiKey).digest("hex");

/** What the file holds; a new secret where there is none. Linked into place whole, so that two launchers never use different ones. */
async function keepSecret(file: string, make: () => string): Promise<string> {
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}.draft`;
  await writeFile(draft, `${make()}\n`, { mode: 0o600 });
  await link(draft, file)
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    })
    .finally(() => rm(draft));
  const secret = (await readKept(file)) ?? "";
  if (secret.length < 8) throw new AppError("VALIDATION_FAILED", `${file} holds no secret. Delete it, and the next start makes a new one`);
  return secret;
}
