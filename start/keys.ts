/** The launchers' secrets: made at the first start, each in a file under DATA_DIR that only its owner may read. */
import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** `made`: this call made the API key; nobody has seen it yet. */
export type Keys = { apiKey: string; apiKeyFile: string; poolToken: string; made: boolean };

/** The API key and the POOL_TOKEN of this DATA_DIR. */
export async function openKeys(dataDir: string): Promise<Keys> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const apiKeyFile = join(dataDir, "api-key");
  const apiKey = await keepSecret(apiKeyFile, () => `us_${randomBytes(24).toString("base64url")}`);
  const poolToken = await keepSecret(join(dataDir, "pool-token"), () => randomBytes(32).toString("base64url"));
  return { apiKey: apiKey.secret, apiKeyFile, poolToken: poolToken.secret, made: apiKey.made };
}

/** What the file holds; a new secret where there is none. Linked into place whole, so that two launchers never use different ones. */
async function keepSecret(file: string, make: () => string): Promise<{ secret: string; made: boolean }> {
  const draft = `${file}.${process.pid}.draft`;
  await writeFile(draft, `${make()}\n`, { mode: 0o600 });
  const made = await link(draft, file)
    .then(() => true)
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return false;
      throw error;
    })
    .finally(() => rm(draft));
  const secret = (await readFile(file, "utf8")).trim();
  if (secret.length < 8) throw new Error(`${file} holds no secret. Delete it, and the next start makes a new one`);
  return { secret, made };
}
