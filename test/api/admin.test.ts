import { Hono } from "hono";
import { describe, expect, it, vi } from "vitest";
import { adminRoutes } from "../../pool/api/admin.ts";
import type { ApiDeps } from "../../pool/api/api-deps.ts";
import { onError } from "../../pool/api/on-error.ts";
import type { LiveRun } from "../../pool/session/live-runs.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import { newRunId } from "../../shared/ids.ts";

/** The routes of node "n1", with what a test gives them. `lines`: of the node's log. */
function open(given: Partial<ApiDeps> = {}) {
  const lines: { message: string; [field: string]: unknown }[] = [];
  const log = createLog("info", {}, (line) => lines.push(JSON.parse(line)));
  const done: string[] = [];
  const audit: unknown[] = [];
  const query = async (sql: string, params: unknown[]) => {
    if (sql.startsWith("INSERT")) audit.push(params.slice(1, 4));
    return [];
  };
  const deps: Partial<ApiDeps> = {
    info: () => ({ node_id: "n1" }) as ReturnType<ApiDeps["info"]>,
    drain: async () => void done.push("drain"),
    resume: async () => void done.push("resume"),
    store: { query } as unknown as ApiDeps["store"],
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

describe("killing a session", () => {
  const RUN = newRunId();
  /** A run in hand: `kill` brings it to `then`. */
  const session = (before: string, then: string) => {
    let status = before;
    const kill = vi.fn(() => {
      status = then;
    });
    return { kill, over: Promise.resolve(), toRun: () => ({ status }) } as unknown as LiveRun & { kill: typeof kill };
  };
  const holding = (each: LiveRun | null) => ({ get: () => each }) as unknown as ApiDeps["live"];

  it("asks the run that went on to its next attempt to stop too, and says that this is not over", async () => {
    const requestStop = vi.fn(async () => "starting" as const);
    const { post, audit } = open({ live: holding(session("running", "queued")), requestStop });
    expect(await post(`/sessions/${RUN}/kill`)).toMatchObject({ status: 409, body: { error: { details: { status: "starting" } } } });
    expect(requestStop).toHaveBeenCalledOnce();
    expect(audit).toHaveLength(1); // it had an effect
    const waiting = open({ live: holding(session("running", "queued")), requestStop: async () => "terminated" });
    expect(await waiting.post(`/sessions/${RUN}/kill`)).toMatchObject({ status: 200, body: { status: "terminated" } });
  });

  it("does nothing to a run that is over, and notes nothing", async () => {
    const over = session("completed", "completed");
    const { post, audit } = open({ live: holding(over) });
    expect(await post(`/sessions/${RUN}/kill`)).toMatchObject({ status: 200, body: { status: "completed" } });
    expect(over.kill).not.toHaveBeenCalled();
    expect(audit).toEqual([]);
  });

  it("is done while the store is away, and told in the node's log before it is", async () => {
    const store = { query: () => Promise.reject(new Error("away")) } as unknown as ApiDeps["store"];
    const held = session("running", "terminated");
    const { post, lines } = open({ live: holding(held), store });
    held.kill.mockImplementationOnce(() => {
      expect(lines.map(({ message }) => message)).toEqual(["An operator acts"]);
      return held.kill();
    });
    expect(await post(`/sessions/${RUN}/kill`)).toMatchObject({ status: 200, body: { status: "terminated" } });
    expect(lines.map(({ message }) => message)).toEqual(["An operator acts", "The audit log could not be written"]);
  });
});

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
