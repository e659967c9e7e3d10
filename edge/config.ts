/** Environment → EdgeConfig, read once. Everything that is wrong is said at once. */
import { type BucketCredentials, type BucketPlace, bucketCredentials, readBucketUrl } from "../shared/bucket.ts";
import { AppError } from "../shared/errors.ts";
import { MAX_BODY_BYTES } from "../shared/node.ts";
import { OTLP_ENDPOINT_FORM, otlpHeadersProblem, parseOtlpEndpoint, type TracingConfig } from "../shared/tracing.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";

export const SCOPES = ["read", "runs", "pool"] as const;
export type Scope = (typeof SCOPES)[number];

/** `scopes` as granted: `runs` has brought `read` along. */
export type ApiKey = { name: string; scopes: ReadonlySet<Scope>; key: string };

export type EdgeConfig = {
  host: string;
  port: number;
  /** Threads that serve the port, each with an event loop of its own. */
  threads: number;
  keys: ApiKey[];
  poolToken: string;
  /** Seed URLs, without a slash at the end. */
  poolNodes: string[];
  /** A live source that is silent for so long has failed. */
  liveIdleMs: number;
  maxBodyBytes: number;
  /** Origins that browsers may call from; none: CORS is off. `*`: any. */
  corsOrigins: string[];
  /** Where stored runs are read from when no node answers. */
  bucket: { place: BucketPlace; credentials: BucketCredentials } | null;
  /** The origin that has the trace viewer to itself; null: it is served beside the API. */
  viewerOrigin: string | null;
  /** How long a link to the viewer is good for. */
  viewerLinkS: number;
  /** Null: nothing is traced. */
  tracing: TracingConfig | null;
  logLevel: LogLevel;
};

export const MAX_KEY_CHARS = 256;
const MAX_DEFAULT_THREADS = 4; // one relays more than a gigabyte a second; more cores are better left to Chromes, if nobody says otherwise
type Env = Record<string, string | undefined>;

/** @throws VALIDATION_FAILED that names every variable that is wrong, one a line; never a value that may be secret */
export function parseConfig(env: Env): EdgeConfig {
  const problems: string[] = [];
  const problem = <T>(text: string, instead: T): T => {
    problems.push(text);
    return instead;
  };
  const config: EdgeConfig = {
    host: env.EDGE_HOST || "127.0.0.1",
    port: whole(env.EDGE_PORT, 8080, 0, 65_535) ?? problem("EDGE_PORT: expected a port, 0 to 65535", 0),
    threads:
      whole(env.EDGE_THREADS, Math.min(MAX_DEFAULT_THREADS, navigator.hardwareConcurrency), 1, 64) ??
      problem("EDGE_THREADS: expected 1 to 64", 1),
    keys: env.EDGE_API_KEYS
      ? parseApiKeys(env.EDGE_API_KEYS, (text) => problem(text, undefined))
      : problem("EDGE_API_KEYS is missing: expected name:scopes:key, comma-separated, scopes (read, runs, pool) joined by +", []),
    poolToken: env.POOL_TOKEN || problem("POOL_TOKEN is missing: it is the secret that edge and nodes share", ""),
    poolNodes: (env.POOL_NODES || "http://127.0.0.1:7070")
      .split(",")
      .map((url) => parseNodeUrl(url) ?? problem("POOL_NODES: expected http or https URLs without query, comma-separated", "")),
    liveIdleMs:
      whole(env.EDGE_LIVE_IDLE_MS, 30_000, 10, 3_600_000) ?? problem("EDGE_LIVE_IDLE_MS: expected milliseconds, 10 to 3600000", 0),
    maxBodyBytes: parseBytes(env.EDGE_MAX_BODY) ?? problem("EDGE_MAX_BODY: expected bytes, as 1048576 or 1MiB, 1KiB to 16MiB", 0),
    corsOrigins: (env.EDGE_CORS_ORIGINS ?? "")
      .split(",")
      .map((origin) => origin.trim())
      .filter((origin) => origin !== "")
      .map(
        (origin) => parseOrigin(origin) ?? problem("EDGE_CORS_ORIGINS: expected origins as https://example.org, comma-separated, or *", ""),
      ),
    bucket: env.EDGE_BUCKET_URL ? parseBucket(env.EDGE_BUCKET_URL, env, (text) => problem(text, undefined)) : null,
    viewerOrigin: env.EDGE_VIEWER_ORIGIN ? parseViewerOrigin(env.EDGE_VIEWER_ORIGIN, (text) => problem(text, null)) : null,
    viewerLinkS: whole(env.EDGE_VIEWER_LINK_S, 3_600, 60, 86_400) ?? problem("EDGE_VIEWER_LINK_S: expected seconds, 60 to 86400", 0),
    tracing: env.OTEL_EXPORTER_OTLP_ENDPOINT ? parseTracing(env.OTEL_EXPORTER_OTLP_ENDPOINT, env, (text) => problem(text, null)) : null,
    logLevel:
      LOG_LEVELS.find((level) => level === (env.LOG_LEVEL || "info")) ??
      problem(`LOG_LEVEL: expected one of ${LOG_LEVELS.join(", ")}`, "info"),
  };
  if (/[^\x21-\x7e]/.test(config.poolToken)) problem("POOL_TOKEN: expected visible ASCII without spaces", ""); // how long it must be is its nodes' matter
  if (config.viewerOrigin !== null && ["*", config.viewerOrigin].some((origin) => config.corsOrigins.includes(origin)))
    problem(
      "EDGE_CORS_ORIGINS: EDGE_VIEWER_ORIGIN shows recorded pages, so it must not be able to call the API: not as one of *, either",
      null,
    );
  if (problems.length > 0)
    throw new AppError("VALIDATION_FAILED", `The edge cannot start:\n${[...new Set(problems)].map((text) => `  ${text}`).join("\n")}`);
  return config;
}

function parseTracing(endpoint: string, env: Env, problem: (text: string) => null): EdgeConfig["tracing"] {
  const [url, headers] = [parseOtlpEndpoint(endpoint), env.OTEL_EXPORTER_OTLP_HEADERS ?? ""];
  const wrong = otlpHeadersProblem(headers);
  if (wrong !== null) problem(`OTEL_EXPORTER_OTLP_HEADERS: ${wrong}`);
  return url === null ? problem(`OTEL_EXPORTER_OTLP_ENDPOINT: expected ${OTLP_ENDPOINT_FORM}`) : { url, headers };
}

function parseBucket(url: string, env: Env, problem: (text: string) => void): EdgeConfig["bucket"] {
  const [place, credentials] = [readBucketUrl(url), bucketCredentials(env)];
  if (typeof place === "string") problem(`EDGE_BUCKET_URL: ${place}`);
  if (!credentials) problem("EDGE_BUCKET_URL: needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  return typeof place !== "string" && credentials ? { place, credentials } : null;
}

function parseApiKeys(text: string, problem: (text: string) => void): ApiKey[] {
  const keys: ApiKey[] = [];
  for (const [i, entry] of text.split(",").entries()) {
    const at = `EDGE_API_KEYS: entry ${i + 1}`;
    const [, name, scopes, key] = /^\s*([^:]*):([^:]*):(.*?)\s*$/s.exec(entry) ?? [];
    if (name === undefined || scopes === undefined || key === undefined) {
      problem(`${at}: expected name:scopes:key`);
      continue;
    }
    const named = scopes.split("+");
    if (!/^[A-Za-z0-9._-]{1,100}$/.test(name)) problem(`${at}: a name has 1 to 100 letters, digits, dots, dashes and underscores`);
    if (named.some((scope) => !SCOPES.includes(scope as Scope))) problem(`${at}: scopes are read, runs and pool, joined by +`);
    if (key === "" || key.length > MAX_KEY_CHARS || /[^\x21-\x7e]/.test(key))
      problem(`${at}: a key has 1 to ${MAX_KEY_CHARS} visible ASCII characters`);
    if (keys.some((other) => other.name === name)) problem(`${at}: its name is taken`);
    if (keys.some((other) => other.key === key)) problem(`${at}: its key is taken`);
    const granted = new Set(named as Scope[]);
    if (granted.has("runs")) granted.add("read");
    keys.push({ name, scopes: granted, key });
  }
  return keys;
}

/** An http or https URL, without a slash at its end; null when it is something else. */
export function parseNodeUrl(text: string): string | null {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : null;
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") return null;
  if (url.search || url.hash || url.username || url.password) return null;
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function parseOrigin(text: string): string | null {
  if (text === "*") return text;
  return URL.canParse(text) && new URL(text).origin === text ? text : null;
}

/** Browsers run the viewer's service worker over https only, or on the machine itself. */
function parseViewerOrigin(text: string, problem: (text: string) => null): string | null {
  const origin = parseOrigin(text.trim());
  const url = origin === null || origin === "*" ? null : new URL(origin);
  if (url === null || !/^https?:$/.test(url.protocol))
    return problem("EDGE_VIEWER_ORIGIN: expected an origin as https://traces.example.org");
  if (url.protocol === "https:" || /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)) return url.origin;
  return problem("EDGE_VIEWER_ORIGIN: expected https, since the viewer needs it everywhere but on localhost");
}

function whole(text: string | undefined, instead: number, least: number, most: number): number | null {
  if (!text) return instead;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : null;
}

function parseBytes(text: string | undefined): number | null {
  if (!text) return 1024 * 1024;
  const [, digits, unit] = /^(\d{1,10})\s*(KiB|MiB)?$/.exec(text) ?? [];
  const bytes = Number(digits) * (unit === "MiB" ? 1024 * 1024 : unit === "KiB" ? 1024 : 1);
  return bytes >= 1024 && bytes <= MAX_BODY_BYTES ? bytes : null;
}
