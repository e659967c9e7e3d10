/** Typed calls to one node. */
import type { z } from "zod";
import { AppError, ERROR_CODES, ErrorBodySchema } from "../../shared/errors.ts";
import {
  API_KEY_NAME_HEADER,
  formatKnown,
  type Location,
  LocationSchema,
  type Member,
  MembersSchema,
  type NodeInfo,
  NodeInfoSchema,
  REQUEST_ID_HEADER,
} from "../../shared/node.ts";
import { TRACEPARENT_HEADER } from "../../shared/tracing.ts";
import type { Connect } from "../wire/connection.ts";
import type { WireAnswer, WireRequest } from "../wire/exchange.ts";
import { createHttpClient } from "../wire/http-client.ts";

/** On whose behalf a node is asked. */
export type Asker = {
  /** Name of the key whose runs alone may be seen; null: everybody's. */
  onlyOwn: string | null;
  requestId?: string;
  traceparent?: string | null;
};

export type CallOptions = {
  asker?: Asker;
  headers?: Record<string, string>;
  body?: string;
  limitMs?: number;
  signal?: AbortSignal;
  /** A cheap sign that the text is the JSON asked for. Where it holds, nothing is parsed, and `value` stays undefined. */
  isSurely?: (text: string) => boolean;
  /** Told when the request is sent once more: the node may have done it before. */
  onResent?: () => void;
};

/** A JSON answer: as it came, to be passed on, and as a value, to be looked at. */
export type JsonAnswer = { status: number; text: string; value: unknown };

export type NodeClient = {
  readonly url: string;
  /** Any answer as it comes, its body unread. The caller reads it to its end, or cancels it. */
  open(method: "GET" | "HEAD", target: string, options: CallOptions): Promise<WireAnswer>;
  /** A 2xx answer in JSON. @throws the node's own error where it is one of ours; else POOL_UNREACHABLE, UPSTREAM_TIMEOUT */
  json(method: WireRequest["method"], target: string, options?: CallOptions): Promise<JsonAnswer>;
  info(options?: CallOptions): Promise<NodeInfo>;
  members(options?: CallOptions): Promise<Member[]>;
  /** With `known`, waits up to `waitS` seconds until the location differs from that. */
  location(runId: string, options: CallOptions & { known?: Location; waitS?: number }): Promise<Location>;
  close(): void;
};

/** What tells of runs that are over: a node, or a bucket. */
export type StoredSource = Pick<NodeClient, "open" | "json" | "location">;

const LIMIT_MS = 5_000;
const MAX_JSON_BYTES = 64 * 1024 * 1024;
const decoder = new TextDecoder();

export function createNodeClient(url: string, token: string, connect: Connect): NodeClient {
  const { hostname, port, protocol, pathname } = new URL(url);
  const tls = protocol === "https:";
  const http = createHttpClient({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || (tls ? 443 : 80), tls }, connect);
  const prefix = pathname === "/" ? "" : pathname;
  const authorization = `Bearer ${token}`;

  const send = (method: WireRequest["method"], target: string, options: CallOptions, limitsBody: boolean) => {
    const headers: Record<string, string> = { authorization, ...options.headers };
    if (options.asker && options.asker.onlyOwn !== null) headers[API_KEY_NAME_HEADER] = options.asker.onlyOwn;
    if (options.asker?.requestId) headers[REQUEST_ID_HEADER] = options.asker.requestId;
    if (options.asker?.traceparent) headers[TRACEPARENT_HEADER] = options.asker.traceparent;
    if (options.body !== undefined) headers["content-type"] = "application/json";
    const { body, signal, onResent, limitMs = LIMIT_MS } = options;
    return http.send({ method, target: prefix + target, headers, body, limitMs, limitsBody, signal, onResent });
  };

  const json: NodeClient["json"] = async (method, target, options = {}) => {
    const answer = await send(method, target, options, true);
    const text = decoder.decode(answer.whole ?? (await readAll(answer)));
    if (answer.status === 200 && isJson(answer) && options.isSurely?.(text)) return { status: 200, text, value: undefined };
    const value = isJson(answer) ? parseJson(text) : undefined;
    if (answer.status < 200 || answer.status > 299) throw toNodeError(answer, value);
    if (value === undefined && answer.status !== 204) throw notProtocol(`${method} ${target}`);
    return { status: answer.status, text, value };
  };

  const parsed = async <T>(schema: z.ZodType<T>, target: string, options?: CallOptions): Promise<T> => {
    const { value } = await json("GET", target, options);
    const result = schema.safeParse(value);
    if (!result.success) throw notProtocol(`GET ${target}`, result.error);
    return result.data;
  };

  return {
    url,
    open: (method, target, options) => send(method, target, options, false),
    json,
    info: (options) => parsed(NodeInfoSchema, "/node", options),
    members: async (options) => (await parsed(MembersSchema, "/nodes", options)).nodes,
    location(runId, { known, waitS, ...options }) {
      const query = known && waitS ? `?known=${encodeURIComponent(formatKnown(known))}&wait_s=${waitS}` : "";
      const limitMs = (options.limitMs ?? LIMIT_MS) + (waitS ?? 0) * 1_000;
      return parsed(LocationSchema, `/runs/${runId}/location${query}`, { ...options, limitMs });
    },
    close: http.close,
  };
}

/** What a node that is not well says, or that it says nothing: another node may do better. */
export const isNodeFailure = (error: unknown): error is AppError =>
  error instanceof AppError &&
  (error.code === "POOL_UNREACHABLE" ||
    error.code === "UPSTREAM_TIMEOUT" ||
    error.code === "INTERNAL" ||
    (error.code === "POOL_SATURATED" && error.details?.reason === "store_away"));

/** The error that a node answered with. Takes what can be read of it in a reasonable time. */
export async function readNodeError(answer: WireAnswer): Promise<AppError> {
  const timer = setTimeout(() => answer.cancel(), LIMIT_MS);
  const text = isJson(answer) ? await readAll(answer).catch(() => null) : null; // the status alone says enough
  clearTimeout(timer);
  answer.cancel();
  return toNodeError(answer, text === null ? undefined : parseJson(decoder.decode(text)));
}

/** An error of ours stays what it is, if its status fits. A refused token is the operator's matter and never looks like the caller's. */
function toNodeError({ status, field }: WireAnswer, value: unknown): AppError {
  const body = ErrorBodySchema.safeParse(value);
  const retryAfter = Number(field("retry-after") ?? Number.NaN);
  const retryAfterS = Number.isFinite(retryAfter) ? retryAfter : undefined;
  if (status === 401 || status === 403) {
    return new AppError("POOL_UNREACHABLE", "A node refused this edge: POOL_TOKEN differs", {
      details: { reason: "token_refused" },
      retryAfterS: 5,
    });
  }
  if (body.success && ERROR_CODES[body.data.error.code].status === status) {
    const { code, message, details } = body.data.error;
    return new AppError(code, message, { details: details ?? undefined, retryAfterS });
  }
  return new AppError("POOL_UNREACHABLE", `A node answered with status ${status}`, {
    details: { reason: "node_error", status },
    retryAfterS: retryAfterS ?? 1,
  });
}

const notProtocol = (what: string, cause?: unknown): AppError =>
  new AppError("POOL_UNREACHABLE", `A node did not speak the node protocol at ${what}`, {
    details: { reason: "garbage" },
    retryAfterS: 1,
    cause,
  });

const isJson = ({ field }: WireAnswer): boolean => /^application\/json\b/i.test(field("content-type") ?? "");

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // judged by the callers: not the protocol
  }
}

async function readAll(answer: WireAnswer): Promise<Uint8Array> {
  const first = await answer.read();
  if (first === null) return new Uint8Array(0);
  let next = first.byteLength === Number(answer.field("content-length")) ? null : await answer.read();
  if (next === null) return first;
  const chunks = [first];
  let total = first.byteLength;
  for (; next !== null; next = await answer.read()) {
    total += next.byteLength;
    if (total > MAX_JSON_BYTES) {
      answer.cancel();
      throw notProtocol("an answer without end");
    }
    chunks.push(next);
  }
  const all = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}
