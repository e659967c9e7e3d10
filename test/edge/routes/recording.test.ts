import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { edgeOnNode, type TestEdge } from "../../support/edge.ts";
import { breakAfter, emptyEnd, reset, shortOfLength, status } from "../../support/stand-in-faults.ts";
import { StandInNode, StandInStore } from "../../support/stand-in-node.ts";

const store = new StandInStore();
const bytes = new Uint8Array(randomBytes(5_000));
let owner: StandInNode;
let other: StandInNode;
let edge: TestEdge;
beforeAll(async () => {
  owner = await StandInNode.start({ store });
  other = await StandInNode.start({ store });
  edge = await edgeOnNode([owner, other], { EDGE_LIVE_IDLE_MS: "500" });
});
afterAll(async () => {
  for (const each of [edge, owner, other]) await each[Symbol.asyncDispose]();
});
afterEach(() => {
  owner.faults.clear();
  other.faults.clear();
});

const get = (runId: string, path: string, init?: Parameters<TestEdge["get"]>[1]) => edge.get(`/runs/${runId}/recording/${path}`, init);
const errorOf = async (response: Response) => ((await response.json()) as { error: { code: string; details: { reason?: string } } }).error;

describe("a trace", () => {
  it("comes from another node when the first breaks off before a stored byte", async () => {
    for (const fault of [reset, shortOfLength(new Uint8Array(0), 5_000), status(500)]) {
      owner.faults.set("stored.trace", fault);
      for (let i = 0; i < 4; i++) {
        const response = await get(store.addRun({ storedTrace: bytes }).run_id, "trace");
        expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([200, 5_000]);
      }
    }
  });

  it("of a queued run is 502, to be asked for again", async () => {
    const response = await get(store.addRun({ state: "queued" }).run_id, "trace");
    expect([response.status, response.headers.has("retry-after"), (await errorOf(response)).details.reason]).toEqual([
      502,
      true,
      "not_started",
    ]);
  });

  it("of a run that records nothing is 404 at once, though it lives", async () => {
    owner.faults.set("live.trace", status(404, '{"error":{"code":"NOT_FOUND","message":"off","details":{"reason":"disabled"}}}'));
    const response = await get(store.addRun({ owner }).run_id, "trace");
    expect([response.status, (await errorOf(response)).details.reason]).toEqual([404, "disabled"]);
  });

  it("that is empty in the store is served as that", async () => {
    const response = await get(store.addRun({ storedTrace: new Uint8Array(0) }).run_id, "trace");
    expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([200, "0", ""]);
  });

  it("is a download, revalidated by its ETag, and never kept for others", async () => {
    const response = await get(store.addRun({ storedTrace: bytes }).run_id, "trace");
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/zip",
      "content-disposition": 'attachment; filename="trace.zip"',
      "cache-control": "private, no-cache",
      "accept-ranges": "bytes",
      etag: '"5000-v1"',
    });
    await response.body?.cancel();
  });

  it("is found at the next owner when what is kept is stale", async () => {
    const run = store.addRun({ owner, liveTrace: bytes });
    await (await get(run.run_id, "trace")).arrayBuffer();
    store.update(run, { owner: other });
    const response = await get(run.run_id, "trace");
    expect([response.status, response.headers.get("x-trace-source")]).toEqual([200, "live"]);
    await response.body?.cancel();
  });

  it("costs the node one request while its run lives", async () => {
    const run = store.addRun({ owner, liveTrace: bytes });
    await (await get(run.run_id, "trace")).arrayBuffer();
    const before = owner.seen.length + other.seen.length;
    await (await get(run.run_id, "trace")).arrayBuffer();
    expect([...owner.seen, ...other.seen].filter(({ url }) => url.includes(run.run_id)).length).toBe(3);
    expect(owner.seen.length + other.seen.length).toBeGreaterThan(before);
  });
});

describe("a screenshot and any other file", () => {
  it("comes live, else stored, with a type of ours and never as a page", async () => {
    const run = store.addRun({ owner, liveTrace: bytes, storedTrace: bytes.subarray(1) });
    for (const [path, type] of [
      ["screenshots/0001_click.jpg", "image/jpeg"],
      ["files/actions/0001_browser_click.json", "application/octet-stream"],
      ["files/page.html", "application/octet-stream"],
    ] as const) {
      const live = await get(run.run_id, path);
      expect([live.status, live.headers.get("content-type"), (await live.arrayBuffer()).byteLength]).toEqual([200, type, 5_000]);
      expect([live.headers.get("x-trace-source"), live.headers.get("x-content-type-options")]).toEqual([null, "nosniff"]);
      owner.faults.set("live.file", emptyEnd);
      expect((await (await get(run.run_id, path)).arrayBuffer()).byteLength).toBe(4_999);
      owner.faults.clear();
    }
    expect(owner.seen.some(({ url }) => url === `/live/runs/${run.run_id}/recording/files/actions/0001_browser_click.json`)).toBe(true);
  });

  it("is 404 where its run's node has none, in that node's words, and 502 where it cannot be asked", async () => {
    const run = store.addRun({ owner });
    owner.faults.set("live.file", status(404, '{"error":{"code":"NOT_FOUND","message":"Not finished yet","details":null}}'));
    const missing = await get(run.run_id, "files/trace.zip");
    expect([missing.status, missing.headers.get("retry-after"), await errorOf(missing)]).toEqual([
      404,
      null,
      { code: "NOT_FOUND", message: "Not finished yet", details: null },
    ]);
    owner.faults.set("live.file", reset);
    expect((await get(run.run_id, "files/trace.zip")).status).toBe(502);
  });

  it("is served in parts once stored", async () => {
    const run = store.addRun({ storedTrace: bytes });
    const response = await get(run.run_id, "screenshots/0001_click.jpg", { headers: { range: "bytes=0-9" } });
    expect([response.status, response.headers.get("content-range")]).toEqual([206, "bytes 0-9/5000"]);
    await response.body?.cancel();
  });

  it.each([
    "files/..%2f..%2fetc%2fpasswd",
    "files/a%2f..%2fb",
    "files/%2fetc",
    "files/a%00b",
    "files/a%5cb",
    "files/.hidden",
    "screenshots/..%2f..%2fx.jpg",
    "screenshots/..",
    "files/",
  ])("is 404 for %s, and no node is asked", async (path) => {
    const run = store.addRun({ storedTrace: bytes });
    expect((await get(run.run_id, path)).status).toBe(404);
    expect([...owner.seen, ...other.seen].filter(({ url }) => url.includes(run.run_id))).toEqual([]);
  });

  it("breaks the connection when its source breaks off", async () => {
    const run = store.addRun({ owner, storedTrace: bytes });
    owner.faults.set("live.file", breakAfter("some bytes"));
    const response = await get(run.run_id, "files/x.json");
    await expect(response.arrayBuffer()).rejects.toThrow();
  });
});

describe("a manifest", () => {
  it("comes live, else stored; 502 while the run lives without, 404 afterwards", async () => {
    const run = store.addRun({ owner, storedTrace: bytes });
    expect(await (await get(run.run_id, "manifest")).json()).toMatchObject({ state: "recording" });
    owner.faults.set("live.manifest", status(500));
    expect(await (await get(run.run_id, "manifest")).json()).toMatchObject({ state: "ready" });
    expect((await get(store.addRun({ owner }).run_id, "manifest")).status).toBe(502);
    expect((await get(store.addRun({ reason: "node_lost" }).run_id, "manifest")).status).toBe(404);
  });
});
