/** The environment of a node → PoolConfig. Read once, at start; whatever is wrong is said at once, all of it. */
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type BucketCredentials, type BucketPlace, bucketCredentials, parseBucketUrl } from "../shared/bucket.ts";
import { AppError, toIssues, validationFailed } from "../shared/errors.ts";
import { type LimitsOfKeys, parseKeyLimits } from "../shared/key-limits.ts";
import type { ClockLimits } from "../shared/run-status.ts";
import { LOG_LEVELS } from "./telemetry/log.ts";

const WILDCARDS = ["0.0.0.0", "::", "[::]"];
const integer = (min: number, max: number, fallback: number) => z.coerce.number().int().min(min).max(max).default(fallback);
const list = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== ""),
  );

const EnvironmentSchema = z
  .object({
    POOL_HOST: z.string().min(1).default("127.0.0.1"),
    POOL_PORT: integer(0, 65_535, 7070),
    POOL_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
    POOL_TOKEN: z.string({ error: "Required: the secret that edges show to this node" }).min(8, "At least 8 characters"),
    POOL_SLOTS: integer(1, 1000, availableParallelism()),
    POOL_WARM: integer(0, 100, 1),
    POOL_QUEUE_MAX: integer(0, 10_000_000, 1000),
    POOL_KEY_LIMITS: z
      .string()
      .default("")
      .transform((text, context) => {
        const limits = text === "" ? new Map() : parseKeyLimits(text);
        if (limits) return limits;
        context.addIssue({
          code: "custom",
          message: "Expected name:running=2+queued=100+per_minute=60, comma-separated; * for all others",
        });
        return z.NEVER;
      }),
    POOL_DRAIN_GRACE_S: integer(0, 86_400, 60),
    POOL_DISK_MIN_FREE_MB: integer(0, 1_000_000_000, 512),
    POOL_PRIVATE_NETWORKS: list,
    DATA_DIR: z.string().min(1).default("./data"),
    RETENTION_DAYS: integer(1, 36_500, 30),
    DATABASE_URL: z
      .string()
      .regex(/^postgres(ql)?:\/\//, "Expected postgres://…")
      .optional(),
    VOLUME_URL: z.string().optional(),
    AWS_ACCESS_KEY_ID: z.string().optional(),
    AWS_SECRET_ACCESS_KEY: z.string().optional(),
    AWS_SESSION_TOKEN: z.string().optional(),
    SECRETS_KEY: z.string().optional(),
    CHROME_PATH: z.string().optional(),
    CHROME_WS_ENDPOINTS: list,
    POOL_EGRESS_ADVERTISE: z.string().optional(),
    CHROME_SANDBOX: z.enum(["required", "auto", "off"]).default("required"),
    LOG_LEVEL: z.enum(LOG_LEVELS).default("info"),
  })
  .superRefine((env, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (WILDCARDS.includes(env.POOL_HOST) && env.POOL_PUBLIC_URL === undefined) {
      issue("POOL_PUBLIC_URL", `Required with POOL_HOST=${env.POOL_HOST}: edges and nodes reach this node by it`);
    }
    if (env.DATABASE_URL !== undefined && env.SECRETS_KEY === undefined) {
      issue("SECRETS_KEY", "Required with DATABASE_URL: nodes of one store must read each other's sealed credentials");
    }
    if (env.VOLUME_URL?.startsWith("s3:")) {
      if (parseBucketUrl(env.VOLUME_URL) === null) issue("VOLUME_URL", "Expected s3://bucket/prefix?endpoint=https://…&region=…");
      if (bucketCredentials(env) === null) issue("AWS_ACCESS_KEY_ID", "Required with a bucket, and AWS_SECRET_ACCESS_KEY too");
    } else if (env.VOLUME_URL !== undefined && !env.VOLUME_URL.startsWith("file:")) {
      issue("VOLUME_URL", "Expected file:///path or s3://bucket/prefix; leave it out for a directory under DATA_DIR");
    }
  });

/** Seconds each clock allows; `total` comes from the run. */
export const CLOCK_LIMITS_S: ClockLimits = { queue: 600, start: 30, idle: 120 };

/** A directory, or a bucket. */
export type VolumeConfig = { dir: string } | { place: BucketPlace; credentials: BucketCredentials };

export type PoolConfig = {
  host: string;
  port: number;
  publicUrl: string | null;
  token: string;
  slots: number;
  warm: number;
  queueMax: number;
  keyLimits: LimitsOfKeys;
  drainGraceMs: number;
  diskMinFreeBytes: number;
  privateNetworks: string[];
  dataDir: string;
  volume: VolumeConfig;
  playbooksDir: string;
  retentionDays: number;
  databaseUrl: string | null;
  secretsKey: string | null;
  chromePath: string | null;
  chromeEndpoints: string[];
  egressAdvertise: string | null;
  sandbox: "required" | "auto" | "off";
  logLevel: (typeof LOG_LEVELS)[number];
  clocks: ClockLimits;
};

/** @throws VALIDATION_FAILED with every variable that is wrong; values are not repeated, some are secret. */
export function readConfig(environment: Record<string, string | undefined>): PoolConfig {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = EnvironmentSchema.safeParse(given);
  if (!parsed.success) throw validationFailed("The environment", toIssues(parsed.error));
  const env = parsed.data;
  const dataDir = resolve(env.DATA_DIR);
  return {
    host: env.POOL_HOST,
    port: env.POOL_PORT,
    publicUrl: env.POOL_PUBLIC_URL?.replace(/\/+$/, "") ?? null,
    token: env.POOL_TOKEN,
    slots: env.POOL_SLOTS,
    warm: env.POOL_WARM,
    queueMax: env.POOL_QUEUE_MAX,
    keyLimits: env.POOL_KEY_LIMITS,
    diskMinFreeBytes: env.POOL_DISK_MIN_FREE_MB * 1_000_000,
    drainGraceMs: env.POOL_DRAIN_GRACE_S * 1000,
    privateNetworks: env.POOL_PRIVATE_NETWORKS,
    dataDir,
    volume: volumeConfig(env, dataDir),
    playbooksDir: join(dataDir, "playbooks"),
    retentionDays: env.RETENTION_DAYS,
    databaseUrl: env.DATABASE_URL ?? null,
    secretsKey: env.SECRETS_KEY ?? null,
    chromePath: env.CHROME_PATH ?? null,
    chromeEndpoints: env.CHROME_WS_ENDPOINTS,
    egressAdvertise: env.POOL_EGRESS_ADVERTISE ?? null,
    sandbox: env.CHROME_SANDBOX,
    logLevel: env.LOG_LEVEL,
    clocks: CLOCK_LIMITS_S,
  };
}

const NO_MODEL = "this version cannot ask models yet: a failed step is not recovered";
const NOT_USED_YET: Record<string, string> = {
  LLM_MODEL: NO_MODEL,
  LLM_BASE_URL: NO_MODEL,
  LLM_API_KEY: NO_MODEL,
  UTILITY_MODEL: NO_MODEL,
  OTEL_EXPORTER_OTLP_ENDPOINT: "this version has no tracing yet",
};

/** A warning for each variable that is set and does nothing yet. */
export const notUsedYet = (environment: Record<string, string | undefined>): string[] =>
  Object.entries(NOT_USED_YET).flatMap(([name, why]) => (environment[name] ? [`${name} is set, but ${why}`] : []));

function volumeConfig(env: z.infer<typeof EnvironmentSchema>, dataDir: string): VolumeConfig {
  if (env.VOLUME_URL === undefined) return { dir: join(dataDir, "volume") };
  const [place, credentials] = [parseBucketUrl(env.VOLUME_URL), bucketCredentials(env)];
  return place && credentials ? { place, credentials } : { dir: fileUrlPath(env.VOLUME_URL) };
}

function fileUrlPath(text: string): string {
  if (!URL.canParse(text)) return resolve(text.slice("file:".length));
  const { host, pathname } = new URL(text);
  if (host !== "" && host !== "localhost") throw new AppError("VALIDATION_FAILED", "VOLUME_URL names another host; file: means this one");
  return resolve(decodeURIComponent(pathname));
}
