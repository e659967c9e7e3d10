/** The same requests to the edge on Node and on Deno, in front of nodes that fail on purpose. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { RunEvent } from "../shared/event.ts";
import { formatEvent } from "../shared/sse.ts";
import { findDeno } from "./support/deno.ts";
import { edgeOnDeno, edgeOnNode, KEYS, type TestEdge } from "./support/edge.ts";
import {
  breakAfter,
  emptyEnd,
  type Fault,
  notHttp,
  page,
  reset,
  resetAfterHead,
  shortOfLength,
  silence,
  silenceAfter,
  silenceAfterHead,
  status,
} from "./support/stand-in-faults.ts";
import { StandInNode, type StandInRun, StandInStore } from "./support/stand-in-node.ts";
import { collect, eventReader, nextClosed, nextOpened, readEvents, same, whenSettled } from "./support/streams.ts";

const IDLE_MS = 300;
const runtimes = [
  { runtime: "Node", start: edgeOnNode },
  { runtime: "Deno", start: edgeOnDeno },
].filter(({ runtime }) => runtime === "Node" || findDeno() !== null || process.env.CI === "true"); // in CI its absence is a failure

describe.each(runtimes)("the edge on $runtime", ({ start }) => {
  const store = new StandInStore();
  let other: StandInNode; // answers for the store
  let owner: StandInNode; // has the live runs, and the faults
  let edge: TestEdge;

  beforeAll(async () => {
    other = await StandInNode.start({ store });
    owner = await StandInNode.start({ store });
    edge = await start([other], { EDGE_LIVE_IDLE_MS: String(IDLE_MS), OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }); // nobody collects
  });
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]();
    await owner?.[Symbol.asyncDispose]();
    await other?.[Symbol.asyncDispose]();
  });
  afterEach(() => {
    owner.faults.clear();
    other.faults.clear();
  });

  const live = new Uint8Array(randomBytes(300_000));
  const stored = new Uint8Array(randomBytes(700_001));
  const trace = (run: StandInRun, init?: Parameters<TestEdge["get"]>[1]) => edge.get(`/runs/${run.run_id}/recording/trace`, init);
  const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

  describe("a trace whose live source fails before its first byte", () => {
    const faults: Record<string, Fault> = {
      "answers 500": status(500),
      "answers 404": status(404, '{"error":{"code":"NOT_FOUND","message":"gone","details":null}}'),
      "answers 204": (response) => response.writeHead(204).end(),
      "resets before it says anything": reset,
      "resets behind the head": resetAfterHead,
      "is silent": silence,
      "is silent behind the head": silenceAfterHead,
      "does not speak HTTP": notHttp,
      "ends cleanly, and empty": emptyEnd,
      "announces a length and ends before its first byte": shortOfLength(new Uint8Array(0), 1000),
    };
    it.each(Object.entries(faults))("comes from the store, byte for byte, when it %s", async (_, fault) => {
      const run = store.addRun({ owner, liveTrace: live, storedTrace: stored });
      owner.faults.set("live.trace", fault);
      const response = await trace(run, { headers: { range: "bytes=5-" } });
      expect([response.status, response.headers.get("x-trace-source"), response.headers.get("content-length")]).toEqual([
        200,
        "stored",
        null,
      ]);
      expect(same(await bytesOf(response), stored)).toBe(true);
    });

    it("comes from the store when the owner refuses connections", async () => {
      await using gone = await StandInNode.start({ store });
      await gone.refuse();
      const response = await trace(store.addRun({ owner: gone, storedTrace: stored }));
      expect([response.status, response.headers.get("x-trace-source")]).toEqual([200, "stored"]);
      expect(same(await bytesOf(response), stored)).toBe(true);
      store.nodes.splice(store.nodes.indexOf(gone), 1);
    });

    it("is 502 with Retry-After while the run lives and nothing is stored", async () => {
      owner.faults.set("live.trace", reset);
      const response = await trace(store.addRun({ owner, liveTrace: live }));
      expect([response.status, response.headers.has("retry-after")]).toEqual([502, true]);
      expect(await response.json()).toMatchObject({ error: { code: "POOL_UNREACHABLE", details: { reason: "live_failed" } } });
    });

    it("is 404 with the reason once the run is over", async () => {
      const response = await trace(store.addRun({ state: "stored", reason: "persist_failed" }));
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: "NOT_FOUND", details: { reason: "persist_failed" } } });
    });
  });

  describe("a trace whose live source fails after some bytes", () => {
    const some = live.subarray(0, 100_000);
    const faults: Record<string, Fault> = {
      resets: breakAfter(some),
      "closes without the last chunk": breakAfter(some, "end"),
      "goes silent": silenceAfter(some),
      "ends cleanly before its length": shortOfLength(some, 100_001),
      "sends a chunk that is none": (response) => {
        response.writeHead(200, { "content-type": "application/zip" });
        response.write(some, () => response.socket?.write("this is no chunk size\r\n"));
      },
    };
    it.each(Object.entries(faults))("breaks the client's connection, and never goes on with stored bytes, when it %s", async (_, fault) => {
      const run = store.addRun({ owner, liveTrace: live, storedTrace: stored });
      owner.faults.set("live.trace", fault);
      const storedBefore = owner.count("stored.trace") + other.count("stored.trace");
      const response = await trace(run);
      expect([response.status, response.headers.get("x-trace-source")]).toEqual([200, "live"]);
      const got = await collect(response);
      expect(got.broken).toBe(true);
      expect(same(got.bytes, some.subarray(0, got.bytes.byteLength))).toBe(true);
      expect(owner.count("stored.trace") + other.count("stored.trace")).toBe(storedBefore);
    });

    it("breaks the connection of a stored trace too", async () => {
      other.faults.set("stored.trace", shortOfLength(some, stored.byteLength));
      owner.faults.set("stored.trace", shortOfLength(some, stored.byteLength));
      const got = await collect(await trace(store.addRun({ storedTrace: stored })));
      expect(got.broken).toBe(true);
    });
  });

  it("relays a live trace as it is, without a length", async () => {
    const response = await trace(store.addRun({ owner, liveTrace: live, storedTrace: stored }));
    expect([response.status, response.headers.get("x-trace-source"), response.headers.get("content-length")]).toEqual([200, "live", null]);
    expect(same(await bytesOf(response), live)).toBe(true);
  });

  describe("a stored trace", () => {
    const run = () => store.addRun({ storedTrace: stored });
    const etag = `"${stored.byteLength}-v1"`;
    const cases: [string, Record<string, string>, number, (bytes: Uint8Array) => Uint8Array][] = [
      ["whole", {}, 200, (bytes) => bytes],
      ["from an offset", { range: "bytes=700000-" }, 206, (bytes) => bytes.subarray(700_000)],
      ["in the middle", { range: "bytes=10-19" }, 206, (bytes) => bytes.subarray(10, 20)],
      ["its last bytes", { range: "bytes=-5" }, 206, (bytes) => bytes.subarray(-5)],
      ["a part, if it is unchanged", { range: "bytes=10-19", "if-range": etag }, 206, (bytes) => bytes.subarray(10, 20)],
      ["whole, if it has changed", { range: "bytes=10-19", "if-range": '"older"' }, 200, (bytes) => bytes],
    ];
    it.each(cases)("is served %s", async (_, headers, code, part) => {
      const response = await trace(run(), { headers });
      expect([response.status, response.headers.get("x-trace-source"), response.headers.get("etag")]).toEqual([code, "stored", etag]);
      expect(response.headers.get("content-length")).toBe(String(part(stored).byteLength));
      expect(same(await bytesOf(response), part(stored))).toBe(true);
    });

    it("is not sent again to a client that has it", async () => {
      const response = await trace(run(), { headers: { "if-none-match": etag } });
      expect([response.status, response.headers.get("etag"), await response.text()]).toEqual([304, etag, ""]);
    });

    it("answers 416 for a range that lies outside", async () => {
      const response = await trace(run(), { headers: { range: "bytes=9999999-" } });
      expect([response.status, response.headers.get("content-range")]).toEqual([416, `bytes */${stored.byteLength}`]);
      expect(await response.json()).toMatchObject({ error: { code: "RANGE_NOT_SATISFIABLE" } });
    });

    it("tells its length to a HEAD", async () => {
      const response = await trace(run(), { method: "HEAD" });
      expect([response.status, response.headers.get("content-length"), response.headers.get("etag")]).toEqual([
        200,
        String(stored.byteLength),
        etag,
      ]);
    });

    it("is served with ranges as soon as a run that was live is stored", async () => {
      const run = store.addRun({ owner, liveTrace: live });
      await bytesOf(await trace(run));
      store.update(run, { state: "stored", storedTrace: stored });
      expect((await trace(run, { headers: { range: "bytes=0-9" } })).status).toBe(206);
    });
  });

  it("answers HEAD for a live trace, and reads no more of it than the first bytes", async () => {
    const run = store.addRun({ owner, liveTrace: new Uint8Array(150_000_000) });
    const closed = nextClosed(owner, "live.trace");
    const response = await trace(run, { method: "HEAD" });
    expect([response.status, response.headers.get("x-trace-source")]).toEqual([200, "live"]);
    expect(await closed).toEqual({ complete: false });
  });

  it("cancels the live source at once when the client leaves", async () => {
    const run = store.addRun({ owner, liveTrace: new Uint8Array(150_000_000) });
    const leave = new AbortController();
    const before = owner.sentBytes;
    const closed = nextClosed(owner, "live.trace");
    const response = await trace(run, { signal: leave.signal });
    await response.body?.getReader().read();
    leave.abort();
    expect(await closed).toEqual({ complete: false });
    expect(owner.sentBytes - before).toBeLessThan(75_000_000);
  });

  it("cancels the live source when the client leaves before its first byte", async () => {
    const run = store.addRun({ owner, storedTrace: stored });
    owner.faults.set("live.trace", silence);
    const leave = new AbortController();
    const [opened, closed] = [nextOpened(owner, "live.trace"), nextClosed(owner, "live.trace")];
    const response = trace(run, { signal: leave.signal }).catch(() => null);
    await opened;
    leave.abort();
    await response;
    expect(await closed).toEqual({ complete: false });
    expect(other.seen.filter(({ url }) => url.includes(`/stored/runs/${run.run_id}`))).toEqual([]);
  });

  it("reads no further ahead of a client that does not read than buffers are large", async () => {
    const run = store.addRun({ owner, liveTrace: new Uint8Array(200_000_000) });
    const before = owner.sentBytes;
    const url = new URL(edge.url);
    const socket = connect(Number(url.port), url.hostname);
    socket.write(`GET /runs/${run.run_id}/recording/trace HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer ${KEYS.tester}\r\n\r\n`);
    await once(socket, "readable"); // its head has come; from here on nothing is read
    const settled = await whenSettled(() => owner.sentBytes);
    expect(settled - before).toBeLessThan(100_000_000); // socket buffers of the kernel, three times
    socket.destroy();
  });

  describe("an event stream", () => {
    const follow = (run: StandInRun, lastId?: string) =>
      edge.get(`/runs/${run.run_id}/stream`, { headers: lastId === undefined ? {} : { "last-event-id": lastId } });
    const ids = async (response: Response) => (await readEvents(response)).map(({ id }) => id);
    const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

    it("carries past events, then live ones, and ends after complete", async () => {
      const run = store.addRun({ owner, events: steps(3) });
      const response = await follow(run);
      expect([response.status, response.headers.get("content-type"), response.headers.get("x-accel-buffering")]).toEqual([
        200,
        "text/event-stream",
        "no",
      ]);
      store.addEvents(run, ...steps(2), complete());
      const events = await readEvents(response);
      expect(events.map(({ id }) => id)).toEqual(upTo(6));
      expect(events.at(-1)?.event).toBe("complete");
    });

    it("answers at once, before there is any event", async () => {
      const run = store.addRun({ owner });
      owner.faults.set("live.stream", silence);
      const response = await follow(run);
      expect(response.status).toBe(200);
      await response.body?.cancel();
    });

    const whole = [...steps(5), complete()];
    const frames = (from: number, to: number) =>
      whole
        .slice(from - 1, to)
        .map((event, i) => formatEvent({ id: from + i, event }))
        .join("");
    const faults: Record<string, Fault> = {
      "answers 500": status(500),
      "resets at once": reset,
      "resets behind the head": resetAfterHead,
      "resets after two events": breakAfter(frames(1, 2)),
      "resets within an event": breakAfter(frames(1, 3).slice(0, -20)),
      "ends after two events without complete": (response) =>
        response.writeHead(200, { "content-type": "text/event-stream" }).end(frames(1, 2)),
      "ends cleanly, and empty": emptyEnd,
      "goes silent after two events": silenceAfter(frames(1, 2)),
      "is silent": silenceAfterHead,
      "does not speak HTTP": notHttp,
      "sends a page": page,
      "sends what is no event": silenceAfter("id: 1\ndata: {oops\n\n"),
      "leaves out an event": silenceAfter(frames(1, 1) + frames(3, 4)),
      "sends each event twice": silenceAfter(frames(1, 2) + frames(1, 2) + frames(2, 3)),
    };
    it.each(Object.entries(faults))("has each id once, without a gap, when the live source %s", async (_, fault) => {
      const run = store.addRun({ owner, events: whole });
      owner.faults.set("live.stream", [fault]);
      expect(await ids(await follow(run))).toEqual(upTo(6));
    });

    it("goes on live at the same owner after a break, with what has happened since", async () => {
      const run = store.addRun({ owner, events: steps(2) });
      owner.faults.set("live.stream", [breakAfter(frames(1, 2)), null]);
      const response = await follow(run);
      const reader = eventReader(response);
      expect([(await reader.next()).value?.id, (await reader.next()).value?.id]).toEqual([1, 2]);
      store.addEvents(run, ...steps(1));
      expect((await reader.next()).value?.id).toBe(3);
      store.addEvents(run, complete());
      expect((await reader.next()).value?.id).toBe(4);
      expect((await reader.next()).done).toBe(true);
    });

    it("waits for a queued run, and follows it from its first live event on", async () => {
      const run = store.addRun({ state: "queued", status: "queued", events: steps(1) });
      const reader = eventReader(await follow(run));
      expect((await reader.next()).value?.id).toBe(1);
      store.update(run, { state: "live", owner, events: [...run.events, ...steps(2)] });
      expect([(await reader.next()).value?.id, (await reader.next()).value?.id]).toEqual([2, 3]);
      store.update(run, { state: "stored", owner: null, events: [...run.events, complete()] });
      expect([(await reader.next()).value?.id, (await reader.next()).done]).toEqual([4, true]);
    });

    it("replays a finished run from the store", async () => {
      expect(await ids(await follow(store.addRun({ events: whole })))).toEqual(upTo(6));
    });

    it.each([
      ["0", 1],
      ["3", 4],
      ["5", 6],
      ["garbage", 1],
      ["-1", 1],
      ["1e3", 1],
    ])("resumes behind Last-Event-ID %s at %i", async (last, first) => {
      for (const run of [store.addRun({ events: whole }), store.addRun({ owner, events: whole })]) {
        expect(await ids(await follow(run, last))).toEqual(upTo(6).slice(first - 1));
      }
    });

    it.each(["6", "7", "999999"])("answers 204 for a run that is over when asked behind id %s", async (last) => {
      expect((await follow(store.addRun({ events: whole }), last)).status).toBe(204);
      expect((await follow(store.addRun({ owner, events: whole }), last)).status).toBe(204);
    });

    it("answers 204 for a run that has ended since it was found live", async () => {
      const run = store.addRun({ owner, events: steps(5) });
      const response = await follow(run);
      store.addEvents(run, complete());
      expect(await ids(response)).toEqual(upTo(6));
      store.update(run, { state: "stored", owner: null });
      for (let i = 0; i < 3; i++) expect((await follow(run, "6")).status).toBe(204);
    });

    it("lets go of the live source when the client leaves", async () => {
      const run = store.addRun({ owner, events: steps(1) });
      const leave = new AbortController();
      const closed = nextClosed(owner, "live.stream");
      const response = await edge.get(`/runs/${run.run_id}/stream`, { signal: leave.signal });
      await response.body?.getReader().read();
      leave.abort();
      expect(await closed).toEqual({ complete: false });
    });

    it("is 404 for an unknown run and for another's", async () => {
      expect((await edge.get("/runs/00000000-0000-4000-8000-000000000000/stream")).status).toBe(404);
      expect((await follow(store.addRun({ owner, api_key_name: "other" }))).status).toBe(404);
    });
  });

  describe("a run", () => {
    const faults: Record<string, Fault> = {
      "answers 500": status(500),
      resets: reset,
      "breaks off": breakAfter('{"run_id"'),
      "does not speak HTTP": notHttp,
      "sends a page": page,
      "answers with something else": status(200, '{"run_id":"another"}'),
      "ends cleanly, and empty": emptyEnd,
      "ends before its length": shortOfLength(new TextEncoder().encode('{"run_id"'), 100),
    };
    it.each(Object.entries(faults))("is read from the store when its owner %s", async (_, fault) => {
      const run = store.addRun({ owner });
      owner.faults.set("live.run", fault);
      const response = await edge.get(`/runs/${run.run_id}`);
      expect([response.status, await response.json()]).toMatchObject([200, { run_id: run.run_id }]);
    });

    it("is created, listed, stopped and deleted", async () => {
      const created = await edge.get("/runs", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"directive":"cancel order 1"}',
      });
      const { run_id } = (await created.json()) as { run_id: string };
      expect([created.status, (await edge.get(`/runs/${run_id}`)).status]).toEqual([202, 200]);
      const listed = (await (await edge.get("/runs")).json()) as { runs: { run_id: string }[] };
      expect(listed.runs.some((each) => each.run_id === run_id)).toBe(true);
      expect((await edge.get(`/runs/${run_id}`, { method: "DELETE" })).status).toBe(409);
      expect(await (await edge.get(`/runs/${run_id}/stop`, { method: "POST" })).json()).toEqual({ run_id, status: "terminated" });
      expect((await edge.get(`/runs/${run_id}`, { method: "DELETE" })).status).toBe(204);
      expect((await edge.get(`/runs/${run_id}`)).status).toBe(404);
    });
  });

  describe("bad requests", () => {
    const post = (body: BodyInit | null, headers: Record<string, string> = {}, init: RequestInit = {}) =>
      edge.get("/runs", { method: "POST", headers: { "content-type": "application/json", ...headers }, body, ...init });
    const code = async (response: Promise<Response>) => {
      const { status, headers, ...rest } = await response;
      void rest;
      const body = (await (await response).json()) as { error: { code: string; message: string; details: unknown } };
      expect(Object.keys(body.error).sort()).toEqual(["code", "details", "message"]);
      expect(headers.get("x-request-id")).toBeTruthy();
      return [status, body.error.code];
    };

    it("get the code and status that fits, always in the same shape", async () => {
      expect(await code(post("{"))).toEqual([422, "VALIDATION_FAILED"]);
      expect(await code(post(""))).toEqual([422, "VALIDATION_FAILED"]);
      expect(await code(post('{"directive":"x","nope":1}'))).toEqual([422, "VALIDATION_FAILED"]);
      expect(await code(post("{}", { "content-type": "text/plain" }))).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
      expect(await code(post('{"directive":"x"}', { "idempotency-key": "k".repeat(201) }))).toEqual([422, "VALIDATION_FAILED"]);
      expect(await code(edge.get("/runs", { method: "PATCH" }))).toEqual([405, "METHOD_NOT_ALLOWED"]);
      expect(await code(edge.get("/nowhere"))).toEqual([404, "NOT_FOUND"]);
      expect(await code(edge.get("/runs", { key: "wrong" }))).toEqual([401, "UNAUTHORIZED"]);
      expect(await code(edge.get("/runs", { key: null }))).toEqual([401, "UNAUTHORIZED"]);
      expect(await code(edge.get("/pool/nodes"))).toEqual([403, "FORBIDDEN"]);
      expect(await code(edge.get("/runs?limit=0"))).toEqual([422, "VALIDATION_FAILED"]);
      expect(await code(edge.get("/runs/not-a-run"))).toEqual([404, "NOT_FOUND"]);
      expect(await code(edge.get("/runs/..%2f..%2fetc%2fpasswd"))).toEqual([404, "NOT_FOUND"]);
      const run = store.addRun({ storedTrace: stored });
      expect(await code(edge.get(`/runs/${run.run_id}/recording/files/..%2fstatus.json`))).toEqual([404, "NOT_FOUND"]);
    });

    it("are refused when their body is too large, with a length and without", async () => {
      const large = "x".repeat(3 * 1024 * 1024);
      expect(await code(post(large))).toEqual([413, "PAYLOAD_TOO_LARGE"]);
      const chunked = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(new Uint8Array(64 * 1024).fill(32));
        },
      });
      expect(await code(post(chunked, {}, { duplex: "half" } as RequestInit))).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    });

    it("that are not HTTP get an answer or are cut off, and the next request is served", async () => {
      const url = new URL(edge.url);
      const socket = connect(Number(url.port), url.hostname);
      socket.end("GARBAGE\r\n\r\n");
      socket.resume();
      await once(socket, "close");
      expect((await edge.get("/healthz")).status).toBe(200);
    });
  });

  it("goes on with its client's trace, at nodes too", async () => {
    const told = async (traceparent: string) => {
      const { run_id } = store.addRun({ owner, storedTrace: stored, liveTrace: live });
      await edge.get(`/runs/${run_id}`, { headers: { traceparent } });
      const asked = [...other.seen, ...owner.seen].filter(({ url }) => url.includes(run_id));
      expect(asked.length).toBeGreaterThan(0);
      return [...new Set(asked.map(({ headers }) => headers.traceparent))].join();
    };
    const theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    expect(await told(theirs)).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$/);
    expect(await told("garbage")).toMatch(/^00-(?!4bf92f3577b34da6a3ce929d0e0e4736)[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  it("shows another's run to nobody but keys with the scope pool", async () => {
    const run = store.addRun({ owner, api_key_name: "other", storedTrace: stored, liveTrace: live });
    for (const path of [`/runs/${run.run_id}`, `/runs/${run.run_id}/recording/trace`, `/runs/${run.run_id}/recording/manifest`]) {
      expect((await edge.get(path)).status).toBe(404);
      expect((await edge.get(path, { key: KEYS.other })).status).toBe(200);
      expect((await edge.get(path)).status).toBe(404); // knowing where it is has not been shared
      expect((await edge.get(path, { key: KEYS.admin })).status).toBe(200);
    }
  });

  it("serves its reference, its health and the pool's nodes and browsers", async () => {
    const statusOf = async (path: string) => (await edge.get(path, { key: null })).status;
    for (const path of ["/openapi.json", "/docs", "/healthz"]) expect(await statusOf(path)).toBe(200);
    await expect.poll(() => statusOf("/readyz")).toBe(200); // it asks its nodes now and then, and a busy one may have been late
    const key = KEYS.admin;
    const { nodes } = (await (await edge.get("/pool/nodes", { key })).json()) as { nodes: { node_id: string }[] };
    expect(nodes.map(({ node_id }) => node_id)).toContain(owner.node_id);
    const { browsers } = (await (await edge.get("/pool/browsers", { key })).json()) as { browsers: { browser_id: string }[] };
    expect(browsers).toHaveLength(2);
    expect((await edge.get(`/pool/browsers/${owner.node_id}.1/recycle`, { key, method: "POST" })).status).toBe(200);
    expect(await (await edge.get("/metrics", { key })).text()).toMatch(/understudy_edge_relay_bytes_total\{source="live"\} \d+/);
  });
});

const at = new Date(0).toISOString();
const steps = (n: number): RunEvent[] =>
  Array.from(
    { length: n },
    (_, index) => ({ type: "step", at, index, action: "click", description: "", state: "started", attempt: 1, error: null }) as const,
  );
function complete(): RunEvent {
  return { type: "complete", at, status: "completed" };
}
