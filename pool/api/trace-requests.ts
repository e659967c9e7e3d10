/** A span for each request that belongs to a trace. The others are edges and nodes looking at each other, every second. */
import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import { TRACEPARENT_HEADER, type Tracing } from "../../shared/tracing.ts";

export const traceRequests =
  (tracing: Tracing): MiddlewareHandler =>
  async (c, next) => {
    if (c.req.header(TRACEPARENT_HEADER) === undefined) return next();
    const { method } = c.req;
    const route = routePath(c, -1).replace(/:([a-z_]+)(\{.+\})?/g, "{$1}"); // as edges write it
    const span = tracing.request(`${method} ${route}`, c.req.raw.headers, { "http.request.method": method, "http.route": route });
    await next(); // an error has become a response by then
    const { status } = c.res;
    span.set({ "http.response.status_code": status });
    span.end(status >= 500 ? String(status) : null);
  };
