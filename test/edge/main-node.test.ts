import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { edgeOnNode, KEYS, type TestEdge } from "../support/edge.ts";
import { breakAfter } from "../support/stand-in-faults.ts";
import { StandInNode } from "../support/stand-in-node.ts";

let node: StandInNode;
let edge: TestEdge;
beforeAll(async () => {
  node = await StandInNode.start();
  edge = await edgeOnNode([node]);
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
});

/** What a client on a bare socket gets to see, and whether the connection was reset. */
async function exchange(text: string): Promise<{ answer: string; reset: boolean }> {
  const url = new URL(edge.url);
  const socket = connect(Number(url.port), url.hostname);
  let answer = "";
  let reset = false;
  socket.setEncoding("utf8").on("data", (chunk) => {
    answer += chunk;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    reset = error.code === "ECONNRESET";
  });
  socket.write(text);
  await once(socket, "close").catch(() => once(socket, "close"));
  return { answer, reset };
}

describe("what is hardly HTTP", () => {
  it.each([
    ["GARBAGE\r\n\r\n", 405, "METHOD_NOT_ALLOWED"],
    ["FOO /runs HTTP/1.1\r\nHost: x\r\n\r\n", 405, "METHOD_NOT_ALLOWED"],
    ["GET /healthz HTTP/1.1\r\nbad header\r\n\r\n", 400],
    [`GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 413, "PAYLOAD_TOO_LARGE"],
    ["GET /healthz HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", 400],
    ["GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    ["GET http:// HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400],
  ])("gets an answer in the shape of all errors: %#", async (text, status, code = "VALIDATION_FAILED") => {
    const { answer } = await exchange(text);
    const [head = "", body = ""] = answer.split("\r\n\r\n");
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(JSON.parse(body.replace(/^[0-9a-f]+\r\n/, ""))).toMatchObject({
      error: { code, message: expect.any(String), details: null },
    });
  });
});

it("answers a request before garbage, and nothing in its place or after it; a body that breaks off gets an answer of its own", async () => {
  const run = node.store.addRun({ owner: node, liveTrace: new Uint8Array(10) });
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEYS.tester}\r\n\r\n`;
  for (const path of ["/healthz", `/runs/${run.run_id}`, `/runs/${run.run_id}/recording/trace`]) {
    const { answer } = await exchange(`${get(path)}GARBAGE\r\n\r\nGARBAGE\r\n\r\n`);
    expect(answer.match(/HTTP\/1\.1 \d+/g), answer).toEqual(["HTTP/1.1 200"]);
  }
  const head = `POST /runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEYS.tester}\r\nContent-Type: application/json\r\n`;
  expect((await exchange(`${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`)).answer).toMatch(/^HTTP\/1\.1 400 /);
});

it("resets an HTTP/1.0 connection on a break: there an end would look clean", async () => {
  const run = node.store.addRun({ owner: node });
  node.faults.set("live.trace", breakAfter("some bytes"));
  const { answer, reset } = await exchange(
    `GET /runs/${run.run_id}/recording/trace HTTP/1.0\r\nAuthorization: Bearer ${KEYS.tester}\r\n\r\n`,
  );
  expect(reset || answer === "").toBe(true);
});

it("says nothing on its own streams when a connection breaks", async () => {
  const said: unknown[] = [];
  const { error, info } = console;
  console.error = (...args) => said.push(args);
  console.info = (...args) => said.push(args);
  try {
    const run = node.store.addRun({ owner: node });
    node.faults.set("live.trace", breakAfter("some bytes"));
    const response = await edge.get(`/runs/${run.run_id}/recording/trace`);
    await expect(response.arrayBuffer()).rejects.toThrow();
    await edge.get("/healthz", { key: null });
  } finally {
    Object.assign(console, { error, info });
  }
  expect(said).toEqual([]);
});
