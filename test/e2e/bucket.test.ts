/** A node that stores in a bucket, and edges that read from it: what a run leaves behind outlives a bucket that was away, and the node. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pause } from "../../shared/deadline.ts";
import type { NumberedEvent } from "../../shared/event.ts";
import type { Manifest } from "../../shared/recording.ts";
import type { Run } from "../../shared/run.ts";
import { openTestBucket, type TestBucket } from "../support/bucket.ts";
import { type Client, createClient } from "../support/client.ts";
import { findDeno } from "../support/deno.ts";
import { edgeOnDeno, KEYS } from "../support/edge.ts";
import { openLogin } from "../support/playbooks.ts";
import { openTestSystem, type TestSystem } from "../support/system.ts";

/** What was seen of a run while its node lived. */
type Seen = { run: Run; events: NumberedEvent[]; manifest: Manifest; trace: Buffer };

let bucket: TestBucket;
let system: TestSystem;
let seen: Seen;

beforeAll(async () => {
  bucket = await openTestBucket();
  system = await openTestSystem({
    env: { ...bucket.env, VOLUME_URL: bucket.url },
    edgeEnv: { ...bucket.env, EDGE_BUCKET_URL: bucket.url },
  });
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  await bucket?.[Symbol.asyncDispose]();
});

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const readiness = async (): Promise<{ status: number; text: string }> => {
  const response = await fetch(`${system.node.url}/readyz`);
  return { status: response.status, text: await response.text() };
};

describe("a pool with a bucket", () => {
  it("goes on while the bucket is away, says so, and stores what was left once it is back", async () => {
    const { writer } = system.as;
    await bucket.stop();
    const { run_id } = await writer.create(openLogin(system.dashboard.url));
    const { run, events } = await writer.finished(run_id);
    expect(run.status).toBe("completed");
    let ready = await readiness();
    for (; ready.status === 200; ready = await readiness()) await pause(50); // the answer of a moment ago is kept
    expect(ready.text).toContain("The volume does not answer");
    const trace = await writer.call(`/runs/${run_id}/recording/trace`);
    const early = trace.ok ? trace.headers.get("X-Trace-Source") : (await trace.json()).error.code;
    expect(["live", "POOL_UNREACHABLE"]).toContain(early);

    await bucket.start();
    await writer.settled(run_id);
    while ((await readiness()).status !== 200) await pause(50);
    while ((await system.leftovers()).length > 0) await pause(50);
    const manifest = await writer.json<Manifest>(`/runs/${run_id}/recording/manifest`);
    const stored = await writer.trace(run_id);
    expect(stored.source).toBe("stored");
    expect(manifest.state).toBe("ready");
    seen = { run: await writer.read(run_id), events, manifest, trace: Buffer.from(stored.bytes) };
  });

  it("is read from the bucket by an edge when no node answers", async () => {
    await system.node.end("SIGKILL");
    await readsAll(system.as.writer);
    expect((await system.as.admin.read(seen.run.run_id)).run_id).toBe(seen.run.run_id); // with the scope pool: everybody's
  });

  it("shows nothing to another key, nor that there is something", async () => {
    const path = `/runs/${seen.run.run_id}`;
    const answers = [];
    for (const each of [
      path,
      `${path}/stream`,
      `${path}/recording/manifest`,
      `${path}/recording/trace`,
      `${path}/recording/files/status.json`,
    ]) {
      const [others, unknown] = await Promise.all([
        system.as.other.call(each),
        system.as.other.call(each.replace(seen.run.run_id, crypto.randomUUID())),
      ]);
      expect(others.status).toBe(502);
      answers.push([(await others.json()).error.code, (await unknown.json()).error.code]);
      expect((await fetch(system.url + each)).status).toBe(401);
    }
    for (const [others, unknown] of answers) expect([others, unknown]).toEqual(["POOL_UNREACHABLE", "POOL_UNREACHABLE"]);
  });

  it.runIf(findDeno())("is read just so by an edge on Deno", async () => {
    const env = { ...bucket.env, EDGE_BUCKET_URL: bucket.url, EDGE_API_KEYS: `writer:read:${KEYS.tester},other:runs:${KEYS.other}` };
    await using edge = await edgeOnDeno([system.node.url], env);
    await readsAll(createClient(edge.url, KEYS.tester));
    expect((await edge.get(`/runs/${seen.run.run_id}`, { key: KEYS.other })).status).toBe(502);
  });
});

async function readsAll(client: Client): Promise<void> {
  const { run, events, manifest, trace } = seen;
  const path = `/runs/${run.run_id}`;
  const read = await client.read(run.run_id);
  expect({ ...read, warnings: [] }).toEqual({ ...run, warnings: [] }); // a warning of the upload cannot be in what was uploaded
  expect((await client.finished(run.run_id)).events).toEqual(events);
  const last = events.at(-1)?.id ?? 0;
  const resumed: number[] = [];
  for await (const { id } of client.events(run.run_id, { lastId: last - 2 })) resumed.push(id);
  expect(resumed).toEqual([last - 1, last]);
  expect((await client.call(`${path}/stream`, { headers: { "Last-Event-ID": String(last) } })).status).toBe(204);
  expect(await client.json(`${path}/recording/manifest`)).toEqual(manifest);

  const whole = await client.call(`${path}/recording/trace`);
  const etag = whole.headers.get("ETag") ?? "";
  expect(Buffer.from(await whole.arrayBuffer()).equals(trace)).toBe(true);
  expect(etag).toBe(`"${sha256(trace)}"`);
  expect([whole.headers.get("X-Trace-Source"), whole.headers.get("Content-Length")]).toEqual(["stored", String(trace.length)]);
  const head = await client.call(`${path}/recording/trace`, { method: "HEAD" });
  expect([head.status, head.headers.get("ETag"), (await head.arrayBuffer()).byteLength]).toEqual([200, etag, 0]);
  const ask = (headers: Record<string, string>) => client.call(`${path}/recording/trace`, { headers });
  const range = await ask({ Range: "bytes=10-19", "If-Range": etag });
  expect([range.status, range.headers.get("Content-Range")]).toEqual([206, `bytes 10-19/${trace.length}`]);
  expect(Buffer.from(await range.arrayBuffer()).equals(trace.subarray(10, 20))).toBe(true);
  expect((await ask({ "If-None-Match": etag })).status).toBe(304);
  const beyond = await ask({ Range: `bytes=${trace.length}-` });
  expect([beyond.status, beyond.headers.get("Content-Range")]).toEqual([416, `bytes */${trace.length}`]);
  await beyond.body?.cancel();

  for (const { name, kind, sha256: hash } of manifest.artifacts) {
    const shown = kind === "screenshot" ? `${path}/recording/${name}` : `${path}/recording/files/${name}`;
    const artifact = await client.call(shown);
    expect([name, sha256(new Uint8Array(await artifact.arrayBuffer()))]).toEqual([name, hash]);
  }
  for (const name of ["manifest.json", "nothing.txt"]) {
    expect((await client.call(`${path}/recording/files/${name}`)).status, name).toBe(404);
  }
}
