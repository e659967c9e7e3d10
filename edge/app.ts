/** Endpoints → an app that answers requests. Who may, what is well-formed and how errors look is settled here, once for all. */
import { type Handler, Hono } from "hono";
import { z } from "zod";
import { AppError } from "../shared/errors.ts";
import { isRunId } from "../shared/ids.ts";
import { REQUEST_ID_HEADER } from "../shared/node.ts";
import { NO_TRACING, type Span, TRACEPARENT_HEADER, type Tracing } from "../shared/tracing.ts";
import { answerError, commonHead } from "./answers.ts";
import { type Caller, createAuthenticate, requireScope } from "./auth.ts";
import type { EdgeConfig } from "./config.ts";
import { corsHead, preflightHead } from "./cors.ts";
import type { Call, EdgeBindings, EdgeContext, Endpoint } from "./endpoint.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { parseBody, parseQuery, readBody, refuseBody } from "./request-body.ts";
import { createHostRule } from "./viewer/host.ts";

export type AppDeps = {
  config: Pick<EdgeConfig, "keys" | "maxBodyBytes" | "corsOrigins" | "viewerOrigin">;
  metrics: Metrics;
  tracing?: Tracing;
  log: Log;
};
export type EdgeApp = Hono<{ Bindings: EdgeBindings }>;

const NOBODY: Caller = { name: "", scopes: new Set(), onlyOwn: "" };
/** Of routes that need a key. Open pages are asked with whatever viewers and probes add against caches. */
const NO_QUERY = z.strictObject({});
const METHODS = ["GET", "POST", "DELETE"] as const;

export function createApp(endpoints: readonly Endpoint[], { config, metrics, tracing = NO_TRACING, log }: AppDeps): EdgeApp {
  const app: EdgeApp = new Hono();
  const authenticate = createAuthenticate(config.keys);
  const hostRule = createHostRule(config.viewerOrigin);

  const headOf = (request: Request): Record<string, string> => {
    const head = commonHead(requestIdOf(request));
    return config.corsOrigins.length > 0 ? Object.assign(head, corsHead(config.corsOrigins, request.headers.get("origin"))) : head;
  };

  const errorOf = (head: Record<string, string>, error: unknown, c: EdgeContext): Response => {
    if (!(error instanceof AppError) && !c.req.raw.signal.aborted) {
      log.error("A request failed", { request_id: head[REQUEST_ID_HEADER], method: c.req.method, path: c.req.path, error });
    }
    return answerError(head, error);
  };

  const admit = async (endpoint: Endpoint, c: EdgeContext, head: Record<string, string>, span: Span): Promise<Call<unknown, unknown>> => {
    const request = c.req.raw;
    const { scope } = endpoint;
    const byKey = scope !== null && scope !== "link";
    const caller = byKey ? authenticate(request.headers.get("authorization")) : NOBODY;
    if (byKey) requireScope(caller, scope);
    const query = endpoint.query || (byKey && request.url.includes("?")) ? parseQuery(endpoint.query ?? NO_QUERY, request.url) : undefined;
    const text = endpoint.body ? await readBody(request, config.maxBodyBytes) : "";
    if (!endpoint.body && (request.method === "POST" || request.method === "DELETE")) await refuseBody(request, config.maxBodyBytes);
    const body = endpoint.body && parseBody(endpoint.body, text);
    return { c, caller, requestId: head[REQUEST_ID_HEADER] as string, span, head, query, body, text };
  };

  /** Whose trace a request goes on with: that of a caller with a key. Others cannot file spans into a trace that they name, such as a run's. */
  const traceHead = ({ headers }: Request): Pick<Headers, "get"> => {
    if (!headers.has(TRACEPARENT_HEADER)) return headers;
    try {
      authenticate(headers.get("authorization"));
      return headers;
    } catch {
      return new Headers();
    }
  };

  const serve = (endpoint: Endpoint): Handler<{ Bindings: EdgeBindings }> => {
    const { method, path } = endpoint;
    const name = `${method} ${path}`;
    const count = metrics.countRequests(name);
    return async (c) => {
      const head = endpoint.viewer ? commonHead(requestIdOf(c.req.raw)) : headOf(c.req.raw); // pages that may call the API have no business in traces
      const span = tracing.request(name, traceHead(c.req.raw), { "http.request.method": method, "http.route": path });
      let response: Response;
      try {
        response = hostRule(endpoint, c.req.raw, head) ?? (await endpoint.handle(await admit(endpoint, c, head, span)));
      } catch (error) {
        response = errorOf(head, error, c);
      }
      const { status } = response;
      count(status);
      span.set({ "understudy.request_id": head[REQUEST_ID_HEADER], "understudy.run_id": runIdOf(c), "http.response.status_code": status });
      span.end(status >= 500 ? String(status) : null); // when the answer begins: a stream may go on for as long as its run
      return response;
    };
  };

  for (const endpoint of endpoints) app.on(endpoint.method, toHonoPath(endpoint.path), serve(endpoint));

  const countUnknown = metrics.countRequests("none");
  app.notFound((c) => {
    const head = headOf(c.req.raw);
    const allow = allowedMethods(app, c.req.path);
    countUnknown(allow.length > 0 ? 405 : 404);
    if (allow.length === 0) return answerError(head, new AppError("NOT_FOUND", "No such route; /docs shows those there are"));
    if (c.req.method === "OPTIONS" && head["Access-Control-Allow-Origin"]) {
      return new Response(null, { status: 204, headers: { ...head, ...preflightHead(allow) } });
    }
    return answerError(head, new AppError("METHOD_NOT_ALLOWED", `This route takes ${allow.join(", ")}`, { details: { allow } }));
  });
  app.onError((error, c) => errorOf(headOf(c.req.raw), error, c));
  return app;
}

/** A caller's own id is kept if it cannot confuse a log. */
function requestIdOf(request: Request): string {
  const given = request.headers.get(REQUEST_ID_HEADER);
  return given !== null && /^[A-Za-z0-9._:-]{1,100}$/.test(given) ? given : crypto.randomUUID();
}

function runIdOf(c: EdgeContext): string | null {
  const id = c.req.param("run_id");
  return id !== undefined && isRunId(id) ? id : null;
}

const toHonoPath = (path: string): string => path.replace(/\{path\}$/, ":path{.+}").replace(/\{([a-z_]+)\}/g, ":$1");

function allowedMethods(app: EdgeApp, path: string): string[] {
  const allowed = METHODS.filter((method) => app.router.match(method, path)[0].length > 0);
  return allowed.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
}
