import { Hono } from "hono";
import { expect, it } from "vitest";
import { adminRoutes } from "../../pool/api/admin.ts";
import type { ApiDeps } from "../../pool/api/api-deps.ts";
import { onError } from "../../pool/api/on-error.ts";
import { createLog } from "../../pool/telemetry/log.ts";

/** The routes of node "n1", with what a test gives them. `lines`: of the node's log. */
function open(given: Partial<ApiDeps> = {}) {
  const lines: { msg: string; [field: string]: unknown }[] = [];
  const log = createLog("info", {}, (line) => lines.push(JSON.parse(line)));
  const done: string[] = [];
  const audit: unknown[] = [];
  const deps: Partial<ApiDeps> = {
    info: () => ({ node_id: "n1" }) as ReturnType<ApiDeps["info"]>,
    drain: async () => void done.push("drain"),
    resume: async () => void done.push("resume"),
    store: { query: async (_sql: string, params: unknown[]) => void audit.push(params.slice(1, 4)) } as unknown as ApiDeps["store"],
    log,
    ...given,
  };
  const app = new Hono().onError(onError(log)).route("/", adminRoutes(deps as ApiDeps));
  const post = async (path: string, headers: Record<string, string> = {}) => {
    const response = await app.request(path, { method: "POST", headers });
    return { status: response.status, body: await response.json() };
  };
  return { post, lines, done, audit };
}

it("does nothing that was meant for another node, which was at this address before", async () => {
  const { post, done } = open();
  for (const path of ["/drain", "/resume", "/browsers/n1.1/kill"]) {
    expect(await post(path, { "X-Expected-Node-Id": "n0" })).toMatchObject({ status: 404, body: { error: { code: "NOT_FOUND" } } });
  }
  expect(done).toEqual([]);
  expect((await post("/drain", { "X-Expected-Node-Id": "n1" })).status).toBe(200);
  expect((await post("/resume")).status).toBe(200);
  expect(done).toEqual(["drain", "resume"]);
});
