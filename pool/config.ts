/** The environment of a node → PoolConfig. Read once, at start; whatever is wrong is said at once, all of it. */
import { totalmem } from "node:os";
import { join, resolve } from "node:path";
import { type BucketCredentials, type BucketPlace, bucketCredentials } from "../shared/bucket.ts";
import type { GuardrailsInput } from "../shared/guardrails.ts";
import type { LimitsOfKeys } from "../shared/key-limits.ts";
import type { ClockLimits } from "../shared/run-status.ts";
import type { TracingConfig } from "../shared/tracing.ts";
import { defaultProfileMib } from "./browsers/memory-profile.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import type { PrivateNetwork } from "./guardrails/private-networks.ts";
import type { LlmConfig } from "./llm/llm.ts";
import type { RecordingLimits } from "./recording/limits.ts";
import type { LOG_LEVELS } from "./telemetry/log.ts";

/** What a Chrome that runs share may take by default: itself with spares, and for each run as much as a heavy page needs. */
const SHARED_CHROME_MB = 1_000;
const SHARED_SLOT_MB = 500;

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
  /** A Chrome process for each run, or a context in one that runs share. */
  isolation: "process" | "context";
  /** MiB of memory for the profile of a Chrome; 0: it is on disk. */
  profileMib: number;
  spareMaxAgeMs: number;
  /** 0: however much it takes. */
  spareMaxBytes: number;
  /** Of a Chrome that runs share, with all that is in it; 0: however much. */
  sharedMaxBytes: number;
  queueMax: number;
  keyLimits: LimitsOfKeys;
  drainGraceMs: number;
  diskMinFreeBytes: number;
  privateNetworks: PrivateNetwork[];
  /** Clean runs after which a proposal is accepted by itself; 0: never. */
  promoteAfter: number;
  /** What the operator demands of every run. */
  guardrails: GuardrailsInput;
  recording: RecordingLimits;
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
  /** Null: no model is asked. */
  llm: LlmConfig | null;
  /** Null: nothing is traced. */
  tracing: TracingConfig | null;
  logLevel: (typeof LOG_LEVELS)[number];
  clocks: ClockLimits;
};

/** @throws VALIDATION_FAILED with every variable that is wrong; values are not repeated, some are secret. */
export function readConfig(environment: Record<string, string | undefined>): PoolConfig {
  const env = readEnvironment(environment);
  const dataDir = resolve(env.DATA_DIR);
  return {
    host: env.POOL_HOST,
    port: env.POOL_PORT,
    publicUrl: env.POOL_PUBLIC_URL?.replace(/\/+$/, "") ?? null,
    token: env.POOL_TOKEN,
    slots: env.POOL_SLOTS,
    warm: env.POOL_WARM,
    isolation: env.POOL_ISOLATION ?? "process",
    profileMib:
      env.POOL_PROFILE_MB ??
      defaultProfileMib(Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem()), env.POOL_SLOTS + env.POOL_WARM),
    spareMaxAgeMs: env.POOL_SPARE_MAX_AGE_S * 1000,
    spareMaxBytes: env.POOL_SPARE_MAX_MB * 1_000_000,
    sharedMaxBytes: (env.POOL_SHARED_CHROME_MAX_MB ?? SHARED_CHROME_MB + SHARED_SLOT_MB * env.POOL_SLOTS) * 1_000_000,
    queueMax: env.POOL_QUEUE_MAX,
    keyLimits: env.POOL_KEY_LIMITS,
    diskMinFreeBytes: env.POOL_DISK_MIN_FREE_MB * 1_000_000,
    drainGraceMs: env.POOL_DRAIN_GRACE_S * 1000,
    privateNetworks: env.POOL_PRIVATE_NETWORKS,
    promoteAfter: env.POOL_PROMOTE_AFTER,
    guardrails: env.POOL_GUARDRAILS,
    recording: env.POOL_RECORDING,
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
    llm:
      env.LLM_MODEL === undefined
        ? null
        : {
            model: env.LLM_MODEL,
            utilityModel: env.UTILITY_MODEL ?? env.LLM_MODEL,
            baseUrl: env.LLM_BASE_URL ?? null,
            apiKey: env.LLM_API_KEY ?? null,
            prices: env.LLM_PRICES,
            timeoutMs: env.LLM_TIMEOUT_S * 1000,
          },
    tracing:
      env.OTEL_EXPORTER_OTLP_ENDPOINT === undefined
        ? null
        : { url: env.OTEL_EXPORTER_OTLP_ENDPOINT, headers: env.OTEL_EXPORTER_OTLP_HEADERS },
    logLevel: env.LOG_LEVEL,
    clocks: CLOCK_LIMITS_S,
  };
}

function volumeConfig(env: Environment, dataDir: string): VolumeConfig {
  const given = env.VOLUME_URL ?? { dir: join(dataDir, "volume") };
  return "dir" in given ? given : { place: given.place, credentials: bucketCredentials(env) as BucketCredentials }; // which are there with a bucket
}
