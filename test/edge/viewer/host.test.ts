/** The viewer at a host of its own, on a real edge. */
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { edgeOnNode, KEYS, type TestEdge } from "../../support/edge.ts";
import { StandInNode, StandInStore } from "../../support/stand-in-node.ts";

const ORIGIN = "https://traces.example.org";
const store = new StandInStore();
let node: StandInNode;
let edge: TestEdge;
beforeAll(async () => {
  node = await StandInNode.start({ store });
  edge = await edgeOnNode([node], { EDGE_VIEWER_ORIGIN: ORIGIN, EDGE_CORS_ORIGINS: "https://app.example.org" });
});
afterAll(async () => {
  for (const each of [edge, node]) await each?.[Symbol.asyncDispose]();
});

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: string };
const ask = (host: string, path: string, { method = "GET", key = "", headers = {} as Record<string, string> } = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request(
      edge.url + path,
      { method, headers: { host, ...(key && { authorization: `Bearer ${key}` }), ...headers } },
      async (response) => {
        let body = "";
        for await (const chunk of response.setEncoding("utf8")) body += chunk;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      },
    );
    sent.once("error", reject).end();
  });

describe("a viewer with an origin of its own", () => {
  it("is where links lead, and reads by them there", async () => {
    const run = store.addRun({ storedTrace: new TextEncoder().encode("a trace") });
    const { status, headers } = await ask("api.example.org", `/runs/${run.run_id}/recording/viewer`, { key: KEYS.tester });
    const [place, link = ""] = String(headers.location).split("#");
    expect([status, place]).toEqual([302, `${ORIGIN}/trace-viewer/run`]);
    for (const host of ["traces.example.org", "TRACES.example.org"]) {
      expect((await ask(host, "/trace-viewer/run")).status).toBe(200);
      expect((await ask(host, "/trace-viewer/")).status).toBe(200);
      expect(await ask(host, "/trace-viewer/run/trace", { key: link })).toMatchObject({ status: 200, body: "a trace" });
    }
  });

  it("has nothing of the API at its host, not even for a key", async () => {
    const run = store.addRun();
    const paths = [
      `/runs/${run.run_id}`,
      "/runs",
      `/runs/${run.run_id}/recording/viewer`,
      "/playbooks",
      "/pool/nodes",
      "/docs",
      "/openapi.json",
      "/metrics",
      "/healthz",
      "/",
    ];
    for (const path of paths) {
      const { status, body } = await ask("traces.example.org", path, { key: KEYS.admin });
      expect([path, status, JSON.parse(body).error.code]).toEqual([path, 404, "NOT_FOUND"]);
    }
    expect((await ask("traces.example.org", "/runs", { method: "POST", key: KEYS.admin })).status).toBe(404);
    expect((await ask("traces.example.org", `/runs/${run.run_id}`, { method: "DELETE", key: KEYS.admin })).status).toBe(404);
    expect(store.runs.has(run.run_id)).toBe(true);
  });

  it("is not served beside the API: there a redirect leads to it", async () => {
    for (const path of ["/trace-viewer/", "/trace-viewer/sw.bundle.js", "/trace-viewer/run", "/trace-viewer/run/trace?x=1"]) {
      const { status, headers } = await ask("api.example.org", path, { headers: { "x-request-id": "req-1" } });
      expect([status, headers.location]).toEqual([307, ORIGIN + path]);
      expect(headers).toMatchObject({ "x-request-id": "req-1", "cache-control": "no-store", "x-content-type-options": "nosniff" });
    }
  });

  it("lets no page of another origin read it, whoever may call the API", async () => {
    const run = store.addRun({ storedTrace: new Uint8Array(3) });
    const headers = { origin: "https://app.example.org" };
    expect(
      (await ask("api.example.org", `/runs/${run.run_id}`, { key: KEYS.tester, headers })).headers["access-control-allow-origin"],
    ).toBe("https://app.example.org");
    for (const path of ["/trace-viewer/", "/trace-viewer/run", "/trace-viewer/run/trace"])
      expect((await ask("traces.example.org", path, { headers })).headers["access-control-allow-origin"]).toBeUndefined();
  });
});
