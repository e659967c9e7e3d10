/** An endpoint says everything about itself in one place: the app routes by it, checks by it, and the OpenAPI document is written from it. */
import type { Context } from "hono";
import type { z } from "zod";
import type { ErrorCode } from "../shared/errors.ts";
import type { Span } from "../shared/tracing.ts";
import type { Caller } from "./auth.ts";
import type { Scope } from "./config.ts";

/** What a runtime hands in with each request. */
export type EdgeBindings = {
  /** Breaks the client's connection; absent where only an error in the body does that. */
  breakOff?: () => void;
};
export type EdgeContext = Context<{ Bindings: EdgeBindings }>;

/** One request that was let in. */
export type Call<Query = undefined, Body = undefined> = {
  c: EdgeContext;
  caller: Caller;
  requestId: string;
  span: Span;
  /** Headers that every answer has. */
  head: Record<string, string>;
  query: Query;
  body: Body;
  /** The body as it came: nodes get this, and judge for themselves. */
  text: string;
};

export type Content = { description: string; schema?: z.ZodType; mediaType?: string; headers?: Record<string, string> };

type Spec<Query, Body> = {
  method: "GET" | "POST" | "DELETE";
  /** As in the contract: `/runs/{run_id}`. A last `{path}` may hold slashes. */
  path: string;
  /** null: open to everybody. "link": to whoever shows a link to a trace, which the handler opens. */
  scope: Scope | "link" | null;
  /** Belongs to the trace viewer, which may have an origin to itself. */
  viewer?: true;
  summary: string;
  description?: string;
  query?: z.ZodType<Query>;
  body?: z.ZodType<Body>;
  /** Request headers that matter, with their meaning. */
  headers?: Record<string, string>;
  answers: Record<number, Content>;
  /** Beside those that the scope, the query and the body bring. */
  errors: ErrorCode[];
  handle(call: Call<Query, Body>): Response | Promise<Response>;
};

/** `Query` and `Body` are checked before `handle` sees them, so outside of it they need no name. */
export type Endpoint = Spec<unknown, unknown>;

export function endpoint<Query = undefined, Body = undefined>(spec: Spec<Query, Body>): Endpoint {
  return spec as Endpoint;
}

/** Every error that it can answer with. */
export function errorsOf({ method, scope, query, body, errors }: Endpoint): ErrorCode[] {
  const all = new Set<ErrorCode>(errors);
  if (scope === "link") all.add("UNAUTHORIZED");
  else if (scope !== null) for (const code of ["UNAUTHORIZED", "FORBIDDEN", "VALIDATION_FAILED"] as const) all.add(code); // any route with a key refuses a query that it does not know
  if (query) all.add("VALIDATION_FAILED");
  if (method !== "GET") all.add("PAYLOAD_TOO_LARGE");
  if (body) for (const code of ["VALIDATION_FAILED", "UNSUPPORTED_MEDIA_TYPE"] as const) all.add(code);
  return [...all.add("INTERNAL")];
}

/** The errors of whatever asks the pool. */
export const POOL_ERRORS: ErrorCode[] = ["POOL_UNREACHABLE", "UPSTREAM_TIMEOUT"];
