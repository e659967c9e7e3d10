/** Bad input of every kind gets its code and status from the whole system, and harms nothing. */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLogin } from "../support/playbooks.ts";
import { openTestSystem, type TestSystem } from "../support/system.ts";

let system: TestSystem;
beforeAll(async () => {
  system = await openTestSystem({ edgeEnv: { EDGE_MAX_BODY: "65536" } });
});
afterAll(async () => {
  const { run_id } = await system.as.writer.create(openLogin(system.dashboard.url));
  expect((await system.as.writer.finished(run_id)).run.status).toBe("completed"); // nothing of it all did harm
  await system[Symbol.asyncDispose]();
});

const step = { action: "goto", params: { url: "http://example.com/" } };
const playbook = (...steps: unknown[]) => ({ id: "p", steps });
const unknownRun = "6f1e6c1e-0000-4000-8000-000000000000";

type Issue = { path: string; message: string; line?: number };
async function answer(
  path: string,
  init?: RequestInit,
): Promise<{ status: number; code: string; message: string; issues: Issue[]; headers: Headers }> {
  const response = await system.as.writer.call(path, init);
  const { error } = (await response.json()) as { error: { code: string; message: string; details: { issues?: Issue[] } | null } };
  expect(Object.keys(error).sort()).toEqual(["code", "details", "message"]);
  return {
    status: response.status,
    code: error.code,
    message: error.message,
    issues: error.details?.issues ?? [],
    headers: response.headers,
  };
}
const post = (body: unknown) => answer("/runs", { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });

describe("a body that is not valid", () => {
  it.each<[string, unknown, string]>([
    ["malformed JSON", "{", ""],
    ["a list", [], ""],
    ["neither directive nor playbook", {}, ""],
    ["an unknown field", { playbook: playbook(step), bogus: 1 }, "bogus"],
    ["a directive that is too long", { directive: "x".repeat(10_001) }, "directive"],
    ["a time out of range", { playbook: playbook(step), timeout_seconds: 0 }, "timeout_seconds"],
    ["a viewport out of range", { playbook: playbook(step), viewport: { width: 1, height: 1 } }, "viewport.width"],
    [
      "too many credentials",
      { playbook: playbook(step), credentials: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`c${i}`, "x"])) },
      "credentials",
    ],
    ["a start_url of another scheme", { playbook: playbook(step), start_url: "file:///etc/passwd" }, "start_url"],
    [
      "guardrails that contradict each other",
      { playbook: playbook(step), guardrails: { stuck_repeat_hint: 9, stuck_repeat_warn: 5 } },
      "guardrails",
    ],
    ["an unknown action", { playbook: playbook({ action: "dance" }) }, "steps[0].action"],
    ["an unknown field of a step", { playbook: playbook({ ...step, extra: true }) }, "steps[0].extra"],
    [
      "an unknown parameter of an action",
      { playbook: playbook({ action: "goto", params: { url: "http://example.com", x: 1 } }) },
      "steps[0].params.x",
    ],
    ["a selector that cannot be one", { playbook: playbook({ action: "click", selector: "role=button[name=" }) }, "steps[0].selector"],
    [
      "an unknown placeholder",
      { playbook: playbook({ action: "goto", params: { url: "http://example.com/{nowhere}" } }) },
      "steps[0].params.url",
    ],
    ["an unbound parameter", { playbook: { ...playbook(step), parameters: [{ name: "needed" }] } }, "params.needed"],
    ["a parameter that the playbook does not have", { playbook: playbook(step), params: { x: "1" } }, "params.x"],
    [
      "a credential that was not given",
      { playbook: playbook({ action: "key_press", params: { text: "{credentials.password}" } }) },
      "steps[0].params.text",
    ],
    ["an unknown playbook id", { playbook: "no-such-playbook" }, "playbook"],
    ["a playbook id that climbs out of its folder", { playbook: "../../../etc/passwd" }, "playbook"],
    ["a directive that matches no playbook while there is no model", { directive: "make me a sandwich" }, "directive"],
    [
      "YAML with an unknown field",
      { playbook: "id: p\nsteps:\n  - action: goto\n    params: {url: 'http://example.com/'}\n    bogus: 1\n" },
      "steps[0].bogus",
    ],
    ["YAML that is none", { playbook: "id: p\nsteps: [}\n" }, ""],
    [
      "YAML that grows without end",
      { playbook: `a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n${"d: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n".repeat(1)}id: p\n` },
      "",
    ],
  ])("is refused before there is a run: %s", async (_what, body, path) => {
    const { status, code, issues } = await post(body);
    expect([status, code]).toEqual([422, "VALIDATION_FAILED"]);
    expect(issues.map((issue) => issue.path).join(" ")).toContain(path);
  });

  it("names the line of a YAML file", async () => {
    const { issues } = await post({
      playbook: "id: p\nsteps:\n  - action: goto\n    params: {url: 'http://example.com/'}\n    bogus: 1\n",
    });
    expect(issues).toMatchObject([{ path: "steps[0].bogus", line: 5 }]);
  });

  it("is refused when it is not JSON by its own account, and when it is too large, with and without a length", async () => {
    expect(await answer("/runs", { method: "POST", body: "x", headers: { "Content-Type": "text/plain" } })).toMatchObject({
      status: 415,
      code: "UNSUPPORTED_MEDIA_TYPE",
    });
    const large = JSON.stringify({ directive: "x", labels: { a: "y".repeat(70_000) } });
    expect(await post(large)).toMatchObject({ status: 413, code: "PAYLOAD_TOO_LARGE" });
    const chunks = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let i = 0; i < 10; i++) controller.enqueue(new TextEncoder().encode("x".repeat(10_000)));
        controller.close();
      },
    });
    const init = { method: "POST", body: chunks, duplex: "half" } as RequestInit;
    expect(await answer("/runs", init)).toMatchObject({ status: 413, code: "PAYLOAD_TOO_LARGE" });
  });
});

it("a body where none is taken is refused, unless it says nothing", async () => {
  for (const method of ["POST", "DELETE"]) {
    const path = method === "POST" ? `/runs/${unknownRun}/stop` : `/runs/${unknownRun}`;
    for (const body of ['{"force":true}', "force", "[]", "{} {}"])
      expect(await answer(path, { method, body })).toMatchObject({
        status: 422,
        issues: [{ message: expect.stringContaining("takes no body") }],
      });
    for (const body of ["{}", " ", "", " { } "]) expect(await answer(path, { method, body })).toMatchObject({ status: 404 });
  }
});

describe("a path or key that is not right", () => {
  it.each([
    ["GET", `/runs/${unknownRun}`, 404, "NOT_FOUND"],
    ["GET", "/runs/not-an-id", 404, "NOT_FOUND"],
    ["GET", "/runs/..%2f..%2fetc%2fpasswd", 404, "NOT_FOUND"],
    ["GET", "/runs/%00", 404, "NOT_FOUND"],
    ["GET", `/runs/${unknownRun}/stream`, 404, "NOT_FOUND"],
    ["GET", `/runs/${unknownRun}/recording/trace`, 404, "NOT_FOUND"],
    ["GET", `/runs/${unknownRun}/recording/files/../../../secrets.key`, 404, "NOT_FOUND"],
    ["GET", `/runs/${unknownRun}/recording/files/..%2f..%2f..%2fsecrets.key`, 404, "NOT_FOUND"],
    ["POST", `/runs/${unknownRun}/stop`, 404, "NOT_FOUND"],
    ["DELETE", `/runs/${unknownRun}`, 404, "NOT_FOUND"],
    ["GET", "/playbooks/no-such", 404, "NOT_FOUND"],
    ["GET", "/nowhere", 404, "NOT_FOUND"],
    ["PUT", "/runs", 405, "METHOD_NOT_ALLOWED"],
    ["GET", "/runs?limit=0", 422, "VALIDATION_FAILED"],
    ["GET", "/runs?cursor=garbage", 422, "VALIDATION_FAILED"],
    ["GET", "/runs?status=dancing", 422, "VALIDATION_FAILED"],
    ["GET", "/runs?unknown=1", 422, "VALIDATION_FAILED"],
    ["GET", "/playbooks?limit=1", 422, "VALIDATION_FAILED"],
    ["GET", `/runs/${unknownRun}?fields=status`, 422, "VALIDATION_FAILED"],
    ["GET", `/runs/${unknownRun}?`, 404, "NOT_FOUND"],
    ["POST", `/runs/${unknownRun}/stop?force=true`, 422, "VALIDATION_FAILED"],
    ["GET", "/pool/nodes", 403, "FORBIDDEN"],
  ])("%s %s is answered %i %s", async (method, path, status, code) => {
    expect(await answer(path, { method })).toMatchObject({ status, code });
  });

  it("no key and a wrong key are 401 with a challenge, also on a run that exists", async () => {
    for (const headers of [{}, { Authorization: "Bearer wrong" }, { Authorization: "Basic d3JpdGVyOng=" }] as Record<string, string>[]) {
      const response = await fetch(`${system.url}/runs`, { headers });
      expect([response.status, response.headers.get("www-authenticate")?.startsWith("Bearer")]).toEqual([401, true]);
      expect(await response.json()).toMatchObject({ error: { code: "UNAUTHORIZED" } });
    }
    expect((await fetch(`${system.url}/runs?api_key=writer-key-0123456789`)).status).toBe(401);
  });

  it("files of a run that climb out of its folder are 404", async () => {
    const { run_id } = await system.as.writer.create(openLogin(system.dashboard.url));
    await system.as.writer.finished(run_id);
    await system.as.writer.settled(run_id);
    for (const path of [
      "..%2f..%2f..%2fsecrets.key",
      "%2e%2e/%2e%2e/secrets.key",
      "manifest.json",
      "/etc/passwd",
      "actions/..%2f..%2fstatus.json",
    ]) {
      const response = await system.as.writer.call(`/runs/${run_id}/recording/files/${path}`);
      expect([path, response.status]).toEqual([path, 404]);
    }
  });
});

it("garbage on the wire is answered or cut, and the edge goes on", async () => {
  const { port } = new URL(system.url);
  for (const text of [
    "\0\0\0\0\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    `GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    "POST /runs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
  ]) {
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), "127.0.0.1", () => socket.write(text));
      socket.on("data", () => socket.end());
      socket.on("error", () => resolve());
      socket.on("close", () => resolve());
    });
  }
  expect((await fetch(`${system.url}/healthz`)).status).toBe(200);
});
