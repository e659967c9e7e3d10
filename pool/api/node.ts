/** What a node says of itself and of the pool. */
import { Hono } from "hono";
import { listNodes } from "../store/nodes.ts";
import type { ApiDeps } from "./api-deps.ts";

export function nodeRoutes({ info, store }: Pick<ApiDeps, "info" | "store">): Hono {
  return new Hono().get("/node", (c) => c.json(info())).get("/nodes", async (c) => c.json({ nodes: await listNodes(store) }));
}
