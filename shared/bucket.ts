/** An S3-compatible bucket, by signed requests with path-style addresses. Web standards only: nodes write through it, edges read through it. */
import { AwsClient } from "aws4fetch";
import { AppError } from "./errors.ts";

/** `s3://bucket/prefix?endpoint=…&region=…`, taken apart. `prefix` is empty, or ends with a slash. */
export type BucketPlace = { endpoint: string; bucket: string; prefix: string; region: string };
export type BucketCredentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

export type BucketRequest = {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Below the prefix; null: the bucket itself. */
  key: string | null;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Uint8Array<ArrayBuffer> | string;
  signal?: AbortSignal;
  /** Time until the head of the answer is there, in ms. */
  limitMs?: number;
};

export type Bucket = {
  readonly place: BucketPlace;
  /** Any answer but those that say that the bucket is not well. `null`: no such key. @throws POOL_UNREACHABLE with its reason · RANGE_NOT_SATISFIABLE */
  request(request: BucketRequest): Promise<Response | null>;
};

const LIMIT_MS = 30_000;
/** Answers of 5xx and 429 are asked again, after 0.1 and 0.2 s at most; an outage is for the caller to wait out. */
const RETRIES = { retries: 2, initRetryMs: 100 };

const FORM = "Expected s3://bucket/prefix?endpoint=https://…&region=…";

/**
 * The place, or what is wrong. Prefixes are of letters, digits, `._-` and slashes, so that every key has one spelling on the wire and in lists.
 * What is wrong is said without the text: somebody may have written a secret into it.
 */
export function readBucketUrl(text: string): BucketPlace | string {
  const [, bucket, path = "", query = ""] = /^s3:\/\/([^/?]*)([^?]*)(?:\?(.*))?$/.exec(text) ?? [];
  if (bucket === undefined) return FORM;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    return `${FORM}: the name of a bucket has 3 to 63 characters, a-z, 0-9, dots and dashes, with a letter or digit at either end`;
  if (!/^(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\/?$/.test(path))
    return `${FORM}: a prefix has letters, digits, dots, dashes and underscores between single slashes`;
  const settings = new URLSearchParams(query);
  if ([...settings.keys()].some((name) => name !== "endpoint" && name !== "region"))
    return `${FORM}: there is nothing to set but endpoint and region`;
  const region = settings.get("region") ?? "us-east-1";
  const endpoint = settings.get("endpoint") ?? `https://s3.${region}.amazonaws.com`;
  if (!/^[a-z0-9-]{1,50}$/.test(region)) return `${FORM}: a region has a-z, 0-9 and dashes, as us-east-1`;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== "/" ||
    `${url.username}${url.password}${url.search}${url.hash}` !== ""
  )
    return `${FORM}: an endpoint is http or https, a host and perhaps a port, nothing more`;
  const prefix = path.replace(/^\/|\/$/g, "");
  return { endpoint: url.origin, bucket, prefix: prefix === "" ? "" : `${prefix}/`, region };
}

type AwsEnvironment = { AWS_ACCESS_KEY_ID?: string; AWS_SECRET_ACCESS_KEY?: string; AWS_SESSION_TOKEN?: string };

/** The usual variables of AWS tools; null when one that is needed is missing. */
export function bucketCredentials(env: AwsEnvironment): BucketCredentials | null {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = env;
  if (!accessKeyId || !secretAccessKey) return null;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

export function createBucket(place: BucketPlace, credentials: BucketCredentials): Bucket {
  const client = new AwsClient({ ...credentials, ...RETRIES, service: "s3", region: place.region });
  return {
    place,
    async request({ method, key, query = {}, headers = {}, body, signal, limitMs = LIMIT_MS }) {
      const url = new URL(`${place.endpoint}/${place.bucket}${key === null ? "" : `/${place.prefix}${key}`}`);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      const stop = new AbortController();
      const onAbort = () => stop.abort(signal?.reason);
      if (signal?.aborted) onAbort();
      signal?.addEventListener("abort", onAbort, { once: true });
      const timer = setTimeout(() => stop.abort(unwell("timeout", `did not answer within ${limitMs} ms`)), limitMs);
      try {
        const response = await client.fetch(url.href, { method, headers, body, signal: stop.signal, redirect: "error" });
        if (response.ok) return response;
        return await refused(response, method);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof AppError) throw error;
        if (stop.signal.reason instanceof AppError) throw stop.signal.reason;
        throw unwell("refused", "cannot be reached", error);
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      }
    },
  };
}

/** A key that is not there is an answer; everything else that is no success says that bucket and settings do not fit each other, or that it is not well. */
async function refused(response: Response, method: string): Promise<null> {
  const text = method === "HEAD" ? "" : (await response.text()).slice(0, 4_096);
  const code = xmlValues(text, "Code")[0] ?? `HTTP ${response.status}`;
  if (response.status === 404 && code !== "NoSuchBucket" && code !== "NoSuchUpload") return null;
  if (response.status === 416) throw new AppError("RANGE_NOT_SATISFIABLE", "The range lies outside of it");
  throw unwell(response.status >= 500 || response.status === 429 ? "failed" : "denied", `answered ${code.slice(0, 100)}`);
}

/** `denied`: asking again will not help, somebody has to change the settings. */
type Unwell = "refused" | "timeout" | "failed" | "denied" | "truncated" | "garbage";
export function unwell(reason: Unwell, what: string, cause?: unknown): AppError {
  return new AppError("POOL_UNREACHABLE", `The bucket ${what}`, { cause, details: { reason: `bucket_${reason}` }, retryAfterS: 2 });
}

/** The texts of all elements with this name. For the flat answers of S3, whose keys we chose ourselves: no general reader of XML. */
export function xmlValues(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map(([, text = ""]) => unescapeXml(text));
}

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
const unescapeXml = (text: string): string =>
  text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(lt|gt|quot|apos|amp));/gi, (whole, hex, decimal, name) => {
    if (name) return ENTITIES[name.toLowerCase()] ?? whole;
    const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
