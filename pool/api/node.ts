/** What a node says of itself and of the pool, and what an operator may ask of it. */
import { Hono } from "hono";
import { AppError } from "../../shared/errors.ts";
import { listNodes } from "../store/nodes.ts";
import type { ApiDeps } from "./api-deps.ts";

export function nodeRoutes({ info, store }: Pick<ApiDeps, "info" | "store">): Hono {
  return new Hono().get("/node", (c) => c.json(info())).get("/nodes", async (c) => c.json({ nodes: await listNodes(store) }));
}

export function adminRoutes({ browsers, info, drain, resume, log }: ApiDeps): Hono {
  return new Hono()
    .get("/browsers", (c) => c.json({ browsers: browsers.list() }))
    .post("/browsers/:id/recycle", async (c) => {
      const id = c.req.param("id");
      const n = id.startsWith(`${info().node_id}.`) ? Number(id.slice(info().node_id.length + 1)) : Number.NaN;
      if (!Number.isSafeInteger(n)) throw new AppError("NOT_FOUND", "This node has no such browser");
      return c.json(await browsers.recycle(n));
    })
    .post("/drain", async (c) => {
      log.info("Draining, as asked by an operator");
      await drain();
      return c.json(info());
    })
    .post("/resume", async (c) => {
      log.info("Taking runs again, as asked by an operator");
      await resume();
      return c.json(info());
    });
}
