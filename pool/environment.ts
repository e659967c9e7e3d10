/**
 * The variables of a node: each read by itself, then what they must be together. Nothing stops at the first fault, so that all are named at once.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type BucketPlace, readBucketUrl } from "../shared/bucket.ts";
import { AppError, type Issue, toIssues, validationFailed } from "../shared/errors.ts";
import { type GuardrailsInput, GuardrailsInputSchema } from "../shared/guardrails.ts";
import { parseKeyLimits } from "../shared/key-limits.ts";
import { OTLP_ENDPOINT_FORM, otlpHeadersProblem, parseOtlpEndpoint } from "../shared/tracing.ts";
import { MIN_PROFILE_MIB } from "./browsers/memory-profile.ts";
import { remoteIssues } from "./browsers/remote-settings.ts";
import { mergeGuardrails } from "./guardrails/merge.ts";
import { type PrivateNetwork, parsePrivateNetworks } from "./guardrails/private-networks.ts";
import { MODEL_NAME_FORM, readModelName } from "./llm/model-name.ts";
import { PricesSchema } from "./llm/prices.ts";
import { type RecordingLimits, RecordingLimitsSchema } from "./recording/limits.ts";
import { secretsKeyProblem } from "./store/seal.ts";
import { LOG_LEVELS } from "./telemetry/log.ts";

type VolumePlace = { dir: string } | { place: BucketPlace };

const WILDCARDS = ["0.0.0.0", "::", "[::]"];
const between = (min: number, max: number) =>
  z.string().transform((text, context) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    context.addIssue({ code: "custom", message: `Expected a whole number, ${min} to ${max}` });
    return z.NEVER;
  });
const integer = (min: number, max: number, fallback: number) => between(min, max).default(fallback);
const entries = (text: string): string[] =>
  text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
const endpointsOf = ({ CHROME_WS_ENDPOINTS = "" }: { CHROME_WS_ENDPOINTS?: string }): string[] => entries(CHROME_WS_ENDPOINTS);

/** A rule that is a function: null, or what is wrong. */
const saying = (problem: (text: string) => string | null) => (text: string, context: z.RefinementCtx) => {
  const message = problem(text);
  if (message !== null) context.addIssue({ code: "custom", message });
};

function privateNetworks(text: string, context: z.RefinementCtx): PrivateNetwork[] {
  try {
    return parsePrivateNetworks(text);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    for (const { path, message } of issuesOf(error)) context.addIssue({ code: "custom", path: [Number(/\d+/.exec(path)?.[0])], message });
    return z.NEVER;
  }
}

function volumePlace(text: string, context: z.RefinementCtx): VolumePlace {
  const issue = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  if (text.startsWith("s3:")) {
    const place = readBucketUrl(text);
    return typeof place === "string" ? issue(place) : { place };
  }
  if (!text.startsWith("file:")) return issue("Expected file:///path or s3://bucket/prefix; leave it out for a directory under DATA_DIR");
  try {
    if (/^file:(?:\/\/[^/]*)?\//.test(text)) return { dir: fileURLToPath(text) };
  } catch {
    // another host, or a path that is none
  }
  return issue("Expected file:///path, the whole path of a directory of this machine");
}

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

const FIELDS = {
  POOL_HOST: z.string().min(1).default("127.0.0.1"),
  POOL_PORT: integer(0, 65_535, 7070),
  POOL_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  POOL_TOKEN: z
    .string({ error: "Required: the secret that edges show to this node" })
    .min(8, "Expected at least 8 characters")
    .regex(/^[\x21-\x7e]*$/, "Expected visible ASCII without spaces"),
  POOL_SLOTS: integer(1, 1000, availableParallelism()),
  POOL_WARM: integer(0, 100, 1),
  POOL_ISOLATION: z.enum(["process", "context"]).optional(),
  POOL_PROFILE_MB: between(0, 1_000_000)
    .refine((mib) => mib === 0 || mib >= MIN_PROFILE_MIB, `Expected 0, or at least ${MIN_PROFILE_MIB}`)
    .optional(),
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
  POOL_PRIVATE_NETWORKS: z.string().default("").transform(privateNetworks),
  POOL_PROMOTE_AFTER: integer(0, 1000, 0),
  POOL_GUARDRAILS: z.string().default("{}").transform(operatorGuardrails),
  POOL_RECORDING: z.string().default("{}").transform(recordingLimits),
  DATA_DIR: z.string().min(1).default("./data"),
  RETENTION_DAYS: integer(1, 36_500, 30),
  DATABASE_URL: z
    .string()
    .refine(
      (text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text, "postgres://base"),
      "Expected postgres://user:password@host/database",
    )
    .optional(),
  VOLUME_URL: z.string().transform(volumePlace).optional(),
  AWS_ACCESS_KEY_ID: z.string().optional(),
  AWS_SECRET_ACCESS_KEY: z.string().optional(),
  AWS_SESSION_TOKEN: z.string().optional(),
  SECRETS_KEY: z.string().superRefine(saying(secretsKeyProblem)).optional(),
  CHROME_PATH: z.string().optional(),
  CHROME_WS_ENDPOINTS: z.string().default("").transform(entries),
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
};

type Name = keyof typeof FIELDS;
export type Environment = { [name in Name]: z.output<(typeof FIELDS)[name]> };
type Given = Partial<Record<Name, string>>;

/** @throws VALIDATION_FAILED with every variable that is wrong; values are not repeated, some are secret. */
export function readEnvironment(environment: Record<string, string | undefined>): Environment {
  const given: Given = Object.fromEntries(Object.keys(FIELDS).flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
  const env: Record<string, unknown> = {};
  const issues: Issue[] = [];
  for (const [name, field] of Object.entries(FIELDS)) {
    const parsed = field.safeParse(given[name as Name]);
    if (parsed.success) env[name] = parsed.data;
    else issues.push(...toIssues(parsed.error).map(({ path, message }) => ({ path: `${name}${path}`, message })));
  }
  issues.push(...together(given));
  if (issues.length > 0) throw validationFailed("The environment", issues);
  return env as Environment;
}

/** What is wrong between variables. It looks at what is given, not at what was understood: one that has a fault of its own is not missing. */
function together(given: Given): Issue[] {
  const issues: Issue[] = [];
  const issue = (path: Name, message: string) => void issues.push({ path, message });
  const has = (name: Name) => given[name] !== undefined;
  const need = (message: string, ...names: Name[]) => {
    for (const name of names) if (!has(name)) issue(name, message);
  };

  if (WILDCARDS.includes(given.POOL_HOST ?? "")) {
    need(`Required with POOL_HOST=${given.POOL_HOST}: edges and nodes reach this node by it`, "POOL_PUBLIC_URL");
  }
  const headersProblem = has("OTEL_EXPORTER_OTLP_ENDPOINT") ? otlpHeadersProblem(given.OTEL_EXPORTER_OTLP_HEADERS ?? "") : null; // else they are another program's
  if (headersProblem !== null) issue("OTEL_EXPORTER_OTLP_HEADERS", headersProblem);
  if (has("POOL_ISOLATION") && endpointsOf(given).length > 0) {
    issue("POOL_ISOLATION", "Has no use with CHROME_WS_ENDPOINTS: in a remote Chrome each run always has a context");
  }
  if (has("POOL_SHARED_CHROME_MAX_MB") && (given.POOL_ISOLATION ?? "process") === "process") {
    issue("POOL_SHARED_CHROME_MAX_MB", "Has no use without POOL_ISOLATION=context: no runs share a Chrome");
  }
  issues.push(...remoteIssues(endpointsOf(given), given.POOL_EGRESS_ADVERTISE ?? null));
  if (has("DATABASE_URL")) need("Required with DATABASE_URL: nodes of one store must read each other's sealed credentials", "SECRETS_KEY");
  if (given.VOLUME_URL?.startsWith("s3:")) need("Required with a bucket", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
  return [...issues, ...ofModels(given)];
}

function ofModels(given: Given): Issue[] {
  const issues: Issue[] = [];
  const issue = (path: Name, message: string) => void issues.push({ path, message });
  if (given.LLM_MODEL === undefined) {
    for (const name of ["UTILITY_MODEL", "LLM_BASE_URL", "LLM_API_KEY"] as const)
      if (given[name] !== undefined) issue(name, "Has no use without LLM_MODEL");
    return issues;
  }
  const provider = readModelName(given.LLM_MODEL)?.provider;
  if (provider === undefined) return issues; // said already
  const utility = readModelName(given.UTILITY_MODEL ?? given.LLM_MODEL);
  if (utility && utility.provider !== provider)
    issue("UTILITY_MODEL", `Needs the provider of LLM_MODEL, ${provider}: there is one LLM_API_KEY`);
  if (provider === "openai-compatible" && given.LLM_BASE_URL === undefined) issue("LLM_BASE_URL", "Required with openai-compatible");
  if (provider !== "openai-compatible" && given.LLM_API_KEY === undefined) issue("LLM_API_KEY", `Required with ${provider}`);
  return issues;
}
