/** The node protocol as one HTTP app. */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { AppError } from "../../shared/errors.ts";
import { MAX_BODY_BYTES } from "../../shared/node.ts";
import { adminRoutes } from "./admin.ts";
import type { ApiDeps } from "./api-deps.ts";
import { liveRoutes } from "./live.ts";
import { nodeRoutes } from "./node.ts";
import { notFound, onError } from "./on-error.ts";
import { playbookRoutes } from "./playbooks.ts";
import { requireToken } from "./request.ts";
import { runRoutes } from "./runs.ts";
import { storedRoutes } from "./stored.ts";
import { traceRequests } from "./trace-requests.ts";
import { viewerRoutes } from "./viewer.ts";

/** No I/O. Whether it is alive may be asked by anybody; all else needs the pool's token. */
export function createApp(deps: ApiDeps): Hono {
  const onTooLarge = () => {
    throw new AppError("PAYLOAD_TOO_LARGE", `A request may have ${MAX_BODY_BYTES} bytes`);
  };
  return new Hono()
    .onError(onError(deps.log))
    .notFound(notFound)
    .get("/healthz", (c) => c.json({ status: "ok" }))
    .get("/readyz", async (c) => {
      const reasons = await deps.notReady();
      const { tier, isolation } = deps.info();
      const isolations = isolation === undefined ? [] : [isolation];
      return c.json({ ready: reasons.length === 0, reasons, tiers: [tier], isolations }, reasons.length === 0 ? 200 : 503);
    })
    .use(requireToken(deps.token))
    .use(traceRequests(deps.tracing))
    .use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: onTooLarge }))
    .get("/metrics", async (c) => c.text(await deps.metrics(), 200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" }))
    .route("/", nodeRoutes(deps))
    .route("/runs", runRoutes(deps))
    .route("/live/runs", liveRoutes(deps))
    .route("/stored/runs", storedRoutes(deps))
    .route("/playbooks", playbookRoutes(deps))
    .route("/viewer", viewerRoutes())
    .route("/admin", adminRoutes(deps));
}
