/** Credentials at rest: AES-256-GCM, with the run's id as associated data, so that a sealed value opens for its own run alone. */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import { join } from "node:path";
import { AppError } from "../../shared/errors.ts";
import { type Credentials, SecretValue } from "../../shared/secret-value.ts";
import { readKept, writeKept } from "../../start/kept-file.ts";

export type Seal = {
  seal(runId: string, credentials: Credentials): Uint8Array;
  /** @throws SETUP_FAILED when the key is another one, or the bytes are not what was sealed for this run. */
  unseal(runId: string, sealed: Uint8Array): Credentials;
  /** A keyed fingerprint of any JSON value, whatever the order of its keys: two bodies compare without either being kept. */
  digest(value: unknown): Uint8Array;
};

const KEY_FILE = "secrets.key";
const MIN_KEY_CHARS = 32;
const VERSION = 1;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** The key is SECRETS_KEY, or one made at the first start and kept in DATA_DIR (0600). @throws VALIDATION_FAILED for a key too short to be one, or a file that is none */
export async function openSeal(options: { secretsKey: string | null; dataDir: string }): Promise<Seal> {
  const file = join(options.dataDir, KEY_FILE);
  const secret = options.secretsKey ?? (await keepKey(file));
  const problem = secretsKeyProblem(secret);
  if (problem !== null)
    throw new AppError("VALIDATION_FAILED", `${options.secretsKey === null ? `The key in "${file}"` : "SECRETS_KEY"}: ${problem}`);
  return createSeal(secret);
}

/** Null: it will do. */
export const secretsKeyProblem = (secret: string): string | null =>
  secret.length < MIN_KEY_CHARS ? `Too short: at least ${MIN_KEY_CHARS} random characters, as \`openssl rand -hex 32\` prints` : null;

/** Pure but for the random number in each sealing. */
export function createSeal(secret: string): Seal {
  const derive = (purpose: string) => new Uint8Array(hkdfSync("sha256", secret, "understudy", purpose, 32));
  const sealingKey = derive("credentials");
  const digestKey = derive("digest");
  return {
    seal(runId, credentials) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv("aes-256-gcm", sealingKey, iv).setAAD(Buffer.from(runId));
      const text = Buffer.concat([cipher.update(canonicalJson(credentials), "utf8"), cipher.final()]);
      return Buffer.concat([Uint8Array.of(VERSION), iv, cipher.getAuthTag(), text]);
    },
    unseal(runId, sealed) {
      const body = 1 + IV_BYTES + TAG_BYTES;
      try {
        if (sealed[0] !== VERSION || sealed.length < body) throw new RangeError("Not a sealed value");
        const decipher = createDecipheriv("aes-256-gcm", sealingKey, sealed.subarray(1, 1 + IV_BYTES), { authTagLength: TAG_BYTES })
          .setAAD(Buffer.from(runId))
          .setAuthTag(sealed.subarray(1 + IV_BYTES, body));
        const text = Buffer.concat([decipher.update(sealed.subarray(body)), decipher.final()]).toString("utf8");
        return hidden(JSON.parse(text) as Record<string, string>);
      } catch (cause) {
        throw new AppError("SETUP_FAILED", "Cannot open the run's credentials: they were sealed with another SECRETS_KEY", { cause });
      }
    },
    digest: (value) => createHmac("sha256", digestKey).update(canonicalJson(value)).digest(),
  };
}

/** JSON with the keys of each object in order, and no space. What JSON leaves out is left out; secrets are in it, so it is only for sealing and digests. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, each: unknown) {
    const secret = this[key];
    if (secret instanceof SecretValue) return secret.reveal(); // `each` is its mark already
    return typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each;
  });
}

const hidden = (values: Record<string, string>): Credentials =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, new SecretValue(name, value)] as const));

/** Called by the one process that holds DATA_DIR. */
async function keepKey(path: string): Promise<string> {
  const kept = await readKept(path);
  if (kept !== null) return kept;
  const key = randomBytes(32).toString("hex");
  await writeKept(path, key, 0o600); // whole or not at all: with half a key nothing sealed would ever open
  return key;
}
