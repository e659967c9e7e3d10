/** The environment of a node → PoolConfig. Read once, at start; whatever is wrong is said at once, all of it. */
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type BucketCredentials, type BucketPlace, bucketCredentials, parseBucketUrl } from "../shared/bucket.ts";
import { AppError, type Issue, toIssues, validationFailed } from "../shared/errors.ts";
import { type GuardrailsInput, GuardrailsInputSchema } from "../shared/guardrails.ts";
import { type LimitsOfKeys, parseKeyLimits } from "../shared/key-limits.ts";
import type { ClockLimits } from "../shared/run-status.ts";
import { OTLP_ENDPOINT_FORM, otlpHeadersProblem, parseOtlpEndpoint, type TracingConfig } from "../shared/tracing.ts";
import { mergeGuardrails } from "./guardrails/merge.ts";
import type { LlmConfig } from "./llm/llm.ts";
import { MODEL_NAME_FORM, readModelName } from "./llm/model-name.ts";
import { PricesSchema } from "./llm/prices.ts";
import { type RecordingLimits, RecordingLimitsSchema } from "./recording/limits.ts";
import { LOG_LEVELS } from "./telemetry/log.ts";

const WILDCARDS = ["0.0.0.0", "::", "[::]"];
const between = (min: number, max: number) =>
  z.string().transform((text, context) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    context.addIssue({ code: "custom", message: `Expected a whole number, ${min} to ${max}` });
    return z.NEVER;
  });
const integer = (min: number, max: number, fallback: number) => between(min, max).default(fallback);
const list = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== ""),
  );

/** The operator's layer, as JSON. What only shows once it is merged, as every run will have it, is said here too. */
function operatorGuardrails(text: string, context: z.RefinementCtx): GuardrailsInput {
  const issue = (message: string) => void context.addIssue({ code: "custom", message });
  try {
    const parsed = GuardrailsInputSchema.safeParse(JSON.parse(text));
    for (const { path, message } of parsed.success ? [] : toIssues(parsed.error)) issue(path ? `${path}: ${message}` : message);
    if (parsed.success) mergeGuardrails({ operator: parsed.data });
    return parsed.data ?? {};
  } catch (error) {
    if (error instanceof AppError) {
      for (const { path, message } of issuesOf(error)) issue(`${path.replace(/^(?:operator\.)?guardrails\./, "")}: ${message}`);
      return z.NEVER;
    }
    issue('Expected JSON, as {"max_urls_visited": 20}');
    return z.NEVER;
  }
}

function recordingLimits(text: string, context: z.RefinementCtx): RecordingLimits {
  const issue = (message: string) => void context.addIssue({ code: "custom", message });
  try {
    const parsed = RecordingLimitsSchema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    for (const { path, message } of toIssues(parsed.error)) issue(path ? `${path}: ${message}` : message);
  } catch {
    issue('Expected JSON, as {"film_per_second": 2}');
  }
  return z.NEVER;
}

const issuesOf = ({ details }: AppError): Issue[] => (details?.issues ?? []) as Issue[];

const modelName = z.string().refine((text) => readModelName(text) !== null, MODEL_NAME_FORM);

const EnvironmentSchema = z
  .object({
    POOL_HOST: z.string().min(1).default("127.0.0.1"),
    POOL_PORT: integer(0, 65_535, 7070),
    POOL_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
    POOL_TOKEN: z.string({ error: "Required: the secret that edges show to this node" }).min(8, "At least 8 characters"),
    POOL_SLOTS: integer(1, 1000, availableParallelism()),
    POOL_WARM: integer(0, 100, 1),
    POOL_ISOLATION: z.enum(["process", "context"]).optional(),
    POOL_SPARE_MAX_AGE_S: integer(1, 604_800, 1_800),
    POOL_SPARE_MAX_MB: integer(0, 1_000_000, 0),
    POOL_SHARED_CHROME_MAX_MB: between(0, 1_000_000).optional(),
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
    POOL_PROMOTE_AFTER: integer(0, 1000, 0),
    POOL_GUARDRAILS: z.string().default("{}").transform(operatorGuardrails),
    POOL_RECORDING: z.string().default("{}").transform(recordingLimits),
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
    LLM_MODEL: modelName.optional(),
    UTILITY_MODEL: modelName.optional(),
    LLM_BASE_URL: z.url({ protocol: /^https?$/ }).optional(),
    LLM_API_KEY: z.string().optional(),
    LLM_PRICES: PricesSchema,
    LLM_TIMEOUT_S: integer(1, 600, 120),
    OTEL_EXPORTER_OTLP_ENDPOINT: z
      .string()
      .transform((text, context) => {
        const url = parseOtlpEndpoint(text);
        if (url === null) context.addIssue({ code: "custom", message: `Expected ${OTLP_ENDPOINT_FORM}` });
        return url ?? z.NEVER;
      })
      .optional(),
    OTEL_EXPORTER_OTLP_HEADERS: z.string().default(""),
    LOG_LEVEL: z.enum(LOG_LEVELS).default("info"),
  })
  .superRefine((env, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (WILDCARDS.includes(env.POOL_HOST) && env.POOL_PUBLIC_URL === undefined) {
      issue("POOL_PUBLIC_URL", `Required with POOL_HOST=${env.POOL_HOST}: edges and nodes reach this node by it`);
    }
    const headersProblem = env.OTEL_EXPORTER_OTLP_ENDPOINT === undefined ? null : otlpHeadersProblem(env.OTEL_EXPORTER_OTLP_HEADERS); // else they are another program's
    if (headersProblem !== null) issue("OTEL_EXPORTER_OTLP_HEADERS", headersProblem);
    if (env.POOL_ISOLATION !== undefined && env.CHROME_WS_ENDPOINTS.length > 0) {
      issue("POOL_ISOLATION", "Has no use with CHROME_WS_ENDPOINTS: in a remote Chrome each run always has a context");
    }
    if (env.POOL_SHARED_CHROME_MAX_MB !== undefined && env.POOL_ISOLATION !== "context") {
      issue("POOL_SHARED_CHROME_MAX_MB", "Has no use without POOL_ISOLATION=context: no runs share a Chrome");
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
    if (env.LLM_MODEL === undefined) {
      for (const name of ["UTILITY_MODEL", "LLM_BASE_URL", "LLM_API_KEY"] as const)
        if (env[name] !== undefined) issue(name, "Has no use without LLM_MODEL");
      return;
    }
    const provider = readModelName(env.LLM_MODEL)?.provider;
    if (provider === undefined) return; // said already
    if (env.UTILITY_MODEL !== undefined && readModelName(env.UTILITY_MODEL)?.provider !== provider)
      issue("UTILITY_MODEL", `Needs the provider of LLM_MODEL, ${provider}: there is one LLM_API_KEY`);
    if (provider === "openai-compatible" && env.LLM_BASE_URL === undefined) issue("LLM_BASE_URL", "Required with openai-compatible");
    if (provider !== "openai-compatible" && env.LLM_API_KEY === undefined) issue("LLM_API_KEY", `Required with ${provider}`);
  });

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
  spareMaxAgeMs: number;
  /** 0: however much it takes. */
  spareMaxBytes: number;
  /** Of a Chrome that runs share, with all that is in it; 0: however much. */
  sharedMaxBytes: number;
  queueMax: number;
  keyLimits: LimitsOfKeys;
  drainGraceMs: number;
  diskMinFreeBytes: number;
  privateNetworks: string[];
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
    isolation: env.POOL_ISOLATION ?? "process",
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
