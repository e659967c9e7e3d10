import { describe, expect, it } from "vitest";
import { z } from "zod";
import { answerJson } from "../../edge/answers.ts";
import { createApp, type EdgeApp } from "../../edge/app.ts";
import { parseConfig } from "../../edge/config.ts";
import { endpoint } from "../../edge/endpoint.ts";
import { createLog } from "../../edge/log.ts";
import { createMetrics, NO_PEERS } from "../../edge/metrics.ts";
import { AppError } from "../../shared/errors.ts";
import { edgeEnv, KEYS } from "../support/edge.ts";

const endpoints = [
  endpoint({
    method: "POST",
    path: "/things/{name}",
    scope: "runs",
    summary: "",
    query: z.strictObject({ n: z.coerce.number().int().default(1) }),
    body: z.strictObject({ a: z.number(), list: z.array(z.strictObject({ b: z.string() })).default([]) }),
    answers: {},
    errors: [],
    handle: ({ head, query, body, text, caller }) => answerJson(head, { query, body, text, caller: caller.name }),
  }),
  endpoint({
    method: "GET",
    path: "/throws/{what}",
    scope: null,
    summary: "",
    answers: {},
    errors: [],
    handle({ c }) {
      const what = c.req.param("what");
      if (what === "ours") throw new AppError("POOL_SATURATED", "Full", { retryAfterS: 2.2 });
      if (what === "status") throw new AppError("STEP_FAILED", "A code that is no answer");
      if (what === "text") throw "secret=hunter2";
      throw new Error("secret=hunter2");
    },
  }),
];

function appOf(env: Record<string, string> = {}): { app: EdgeApp; lines: string[] } {
  const lines: string[] = [];
  const log = createLog("info", (line) => lines.push(line));
  return {
    app: createApp(endpoints, { config: parseConfig(edgeEnv(["http://127.0.0.1:1"], env)), metrics: createMetrics(NO_PEERS), log }),
    lines,
  };
}

const { app } = appOf();
const post = (body: BodyInit, headers: Record<string, string> = {}, path = "/things/x") =>
  app.request(path, {
    method: "POST",
    body,
    headers: { authorization: `Bearer ${KEYS.tester}`, "content-type": "application/json", ...headers },
  });
const errorOf = async (response: Response) =>
  ((await response.json()) as { error: { code: string; message: string; details: { issues?: unknown } | null } }).error;

describe("a request that is let in", () => {
  it("has its query and body checked and filled in, and its text as it came", async () => {
    const response = await post(' {"a": 1}', {}, "/things/x?n=5");
    expect(await response.json()).toEqual({ query: { n: 5 }, body: { a: 1, list: [] }, text: ' {"a": 1}', caller: "tester" });
  });

  it("keeps a request id that cannot confuse a log, and gets a fresh one otherwise", async () => {
    for (const id of ["abc-123", "a.b:c_d"]) expect((await post('{"a":1}', { "x-request-id": id })).headers.get("x-request-id")).toBe(id);
    for (const id of ["a b", "x".repeat(101), '"}', "ü"])
      expect((await post('{"a":1}', { "x-request-id": id })).headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("is JSON by any of its names", async () => {
    for (const type of ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"])
      expect((await post('{"a":1}', { "content-type": type })).status).toBe(200);
  });
});

describe("a request that is not well-formed", () => {
  it("is told every place that is wrong", async () => {
    const error = await errorOf(await post('{"a":"x","b":1,"list":[{"b":2,"c":3}]}'));
    expect(error.code).toBe("VALIDATION_FAILED");
    expect(error.details?.issues).toEqual([
      { path: "a", message: expect.any(String) },
      { path: "list[0].b", message: expect.any(String) },
      { path: "list[0].c", message: "Unknown field" },
      { path: "b", message: "Unknown field" },
    ]);
  });

  it.each([
    ["no JSON", "{", 422],
    ["nothing", "", 422],
    ["null", "null", 422],
    ["deeply nested", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, 422],
    ["a prototype", '{"a":1,"__proto__":{"x":1}}', 422],
  ])("is refused when its body is %s", async (_, body, status) => {
    expect((await post(body)).status).toBe(status);
  });

  it.each([
    { "content-type": "text/plain" },
    { "content-type": "" },
    { "content-type": "multipart/form-data" },
    { "content-encoding": "gzip" },
    { "content-type": "application/jsonx" },
  ])("is 415 with %j", async (headers) => {
    expect((await errorOf(await post('{"a":1}', headers as unknown as Record<string, string>))).code).toBe("UNSUPPORTED_MEDIA_TYPE");
  });

  it("is refused when its query is unknown, wrong or given twice", async () => {
    for (const query of ["m=1", "n=x", "n=1&n=2"]) expect((await post('{"a":1}', {}, `/things/x?${query}`)).status).toBe(422);
  });

  it("is 413 by its length alone, or by what it goes on to send", async () => {
    const { app } = appOf({ EDGE_MAX_BODY: "1KiB" });
    const headers = { authorization: `Bearer ${KEYS.tester}`, "content-type": "application/json" };
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 100;
        controller.enqueue(new Uint8Array(100).fill(32));
      },
    });
    const claimed = await app.request("/things/x", { method: "POST", body: "{}", headers: { ...headers, "content-length": "9999999" } });
    const counted = await app.request("/things/x", { method: "POST", body: endless, headers, duplex: "half" } as RequestInit);
    expect([claimed.status, counted.status]).toEqual([413, 413]);
    expect(sent).toBeLessThan(2_000);
  });

  it("is judged by its key before anything else", async () => {
    const response = await post("{", { authorization: "Bearer wrong", "content-type": "text/plain" });
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="understudy"']);
    expect((await errorOf(await post("{", { authorization: `Bearer ${KEYS.reader}` }))).code).toBe("FORBIDDEN");
  });

  it("never carries its key in the query", async () => {
    expect((await app.request(`/things/x?key=${KEYS.tester}&access_token=${KEYS.tester}`, { method: "POST" })).status).toBe(401);
  });
});

describe("an error", () => {
  it("of ours has its code, status and Retry-After", async () => {
    const response = await app.request("/throws/ours");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "3"]);
    expect(await errorOf(response)).toEqual({ code: "POOL_SATURATED", message: "Full", details: null });
  });

  it("that only names how runs end is never an answer's status", async () => {
    expect((await app.request("/throws/status")).status).toBe(500);
  });

  it("without a code shows nothing of itself, and is logged with the request's id", async () => {
    const { app, lines } = appOf();
    const response = await app.request("/throws/other", { headers: { "x-request-id": "req-7" } });
    expect(await errorOf(response)).toEqual({ code: "INTERNAL", message: "Something went wrong on our side", details: null });
    expect(JSON.parse(lines[0] ?? "{}")).toMatchObject({ level: "error", request_id: "req-7", path: "/throws/other" });
    expect((await app.request("/throws/text")).status).toBe(500);
  });

  it("is the same on routes that do not exist, or not with this method", async () => {
    const missing = await app.request("/things");
    expect([missing.status, (await errorOf(missing)).code]).toEqual([404, "NOT_FOUND"]);
    for (const method of ["GET", "PUT", "OPTIONS", "PROPFIND"]) {
      const wrong = await app.request("/things/x", { method });
      expect([wrong.status, wrong.headers.get("allow"), (await errorOf(wrong)).code]).toEqual([405, "POST", "METHOD_NOT_ALLOWED"]);
    }
    expect((await app.request("/throws/ours", { method: "DELETE" })).headers.get("allow")).toBe("GET, HEAD");
  });
});

describe("every answer", () => {
  it("has an id, and headers that keep browsers from guessing and keeping", async () => {
    for (const response of [await post('{"a":1}'), await post("{"), await app.request("/nowhere"), await app.request("/throws/x")]) {
      expect(response.headers.get("x-request-id")).toBeTruthy();
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
    }
  });
});

describe("calls from pages", () => {
  const preflight = (app: EdgeApp, origin: string) =>
    app.request("/things/x", { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });

  it("are off unless the origin was named", async () => {
    const named = appOf({ EDGE_CORS_ORIGINS: "https://a.example" }).app;
    const allowed = await preflight(named, "https://a.example");
    expect([
      allowed.status,
      allowed.headers.get("access-control-allow-origin"),
      allowed.headers.get("access-control-allow-methods"),
    ]).toEqual([204, "https://a.example", "POST"]);
    expect(allowed.headers.get("access-control-allow-headers")).toContain("Authorization");
    expect(allowed.headers.get("access-control-allow-credentials")).toBeNull();
    for (const [app, origin] of [
      [named, "https://b.example"],
      [named, "null"],
      [appOf().app, "https://a.example"],
    ] as const) {
      const refused = await preflight(app, origin);
      expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([405, null]);
    }
  });

  it("may read errors too, and what caches keep depends on the origin", async () => {
    const { app } = appOf({ EDGE_CORS_ORIGINS: "https://a.example" });
    const response = await app.request("/nowhere", { headers: { origin: "https://a.example" } });
    expect([response.headers.get("access-control-allow-origin"), response.headers.get("vary")]).toEqual(["https://a.example", "Origin"]);
    expect(response.headers.get("access-control-expose-headers")).toContain("X-Trace-Source");
    expect((await app.request("/nowhere")).headers.get("vary")).toBe("Origin");
    const any = appOf({ EDGE_CORS_ORIGINS: "*" }).app;
    expect((await any.request("/nowhere", { headers: { origin: "https://c.example" } })).headers.get("access-control-allow-origin")).toBe(
      "*",
    );
  });
});
