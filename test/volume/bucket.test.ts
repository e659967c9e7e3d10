import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBucketVolume } from "../../pool/volume/bucket.ts";
import type { StagedFile, Volume } from "../../pool/volume/volume.ts";
import { createBucket, readBucketUrl } from "../../shared/bucket.ts";
import { createBucketRuns } from "../../shared/bucket-runs.ts";
import { openTestBucket, type TestBucket } from "../support/bucket.ts";

let bucket: TestBucket;
let volume: Volume;
let staged: string;

beforeAll(async () => {
  bucket = await openTestBucket();
  volume = await openBucketVolume(bucket.place, bucket.credentials);
  staged = await mkdtemp(join(tmpdir(), "us-staged-"));
});
afterAll(async () => {
  await bucket[Symbol.asyncDispose]();
  await rm(staged, { recursive: true, force: true });
});

async function stage(contents: Record<string, string | Uint8Array>): Promise<StagedFile[]> {
  for (const [name, content] of Object.entries(contents)) {
    await mkdir(dirname(join(staged, name)), { recursive: true });
    await writeFile(join(staged, name), content);
  }
  return Object.keys(contents).map((name) => ({ name, kind: "file" }));
}

async function contentOf(from: Volume, runId: string, path: string, range?: { start: number; end: number }): Promise<Buffer | null> {
  const opened = await from.open(runId, path, range);
  if (!opened) return null;
  const chunks: Uint8Array[] = [];
  for await (const chunk of opened.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Keys of all objects, as the server has them. */
async function keys(prefix: string): Promise<string[]> {
  const client = createBucket(bucket.place, bucket.credentials);
  const answer = await client.request({ method: "GET", key: null, query: { "list-type": "2", prefix: bucket.place.prefix + prefix } });
  return [...((await answer?.text()) ?? "").matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = ""]) => key.slice(bucket.place.prefix.length));
}

const sha256 = (content: Uint8Array | string) => createHash("sha256").update(content).digest("hex");

/** The same bucket behind a server that does something else with some requests. */
async function behind(spoil: (method: string, path: string, body: Buffer) => Buffer | "refuse") {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = spoil(request.method ?? "", request.url ?? "", Buffer.concat(chunks));
    if (body === "refuse") return void request.socket.destroy();
    const { port } = new URL(bucket.place.endpoint);
    const up = httpRequest({ port, host: "127.0.0.1", method: request.method, path: request.url, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    up.end(body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const open = () => openBucketVolume({ ...bucket.place, endpoint }, bucket.credentials);
  return {
    open,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("a commit to a bucket", () => {
  it("makes every file readable, with its size and a tag of its content, and says whose it is", async () => {
    const runId = randomUUID();
    const files = await stage({ "status.json": "{}", "actions/0001_playbook_goto.json": '{"seq":1}', "empty.txt": "" });
    const manifest = await volume.commit(runId, staged, files, "partial", "tester");
    expect(manifest).toEqual(await volume.manifest(runId));
    expect(manifest).toMatchObject({ run_id: runId, state: "partial" });
    expect(manifest.artifacts[1]).toEqual({ name: "actions/0001_playbook_goto.json", kind: "file", bytes: 9, sha256: sha256('{"seq":1}') });
    expect((await contentOf(volume, runId, "actions/0001_playbook_goto.json"))?.toString()).toBe('{"seq":1}');
    expect((await contentOf(volume, runId, "empty.txt"))?.length).toBe(0);
    expect(await volume.stat(runId, "status.json")).toEqual({ size: 2, etag: `"${sha256("{}")}"` });
    const runs = createBucketRuns(createBucket(bucket.place, bucket.credentials));
    expect((await runs.manifest(runId))?.api_key_name).toBe("tester");
    expect(manifest).not.toHaveProperty("api_key_name");
    expect(await keys("staging/")).toEqual([]);
  });

  it("sends a large file in parts, and gives back whole and ranges of it", async () => {
    const runId = randomUUID();
    const content = randomBytes(17 * 1024 * 1024 + 5);
    const manifest = await volume.commit(runId, staged, await stage({ "trace.zip": content }));
    expect(manifest.artifacts[0]).toMatchObject({ bytes: content.length, sha256: sha256(content) });
    expect(sha256((await contentOf(volume, runId, "trace.zip")) ?? "")).toBe(sha256(content));
    const edge = 8 * 1024 * 1024; // where the second part begins
    expect(await contentOf(volume, runId, "trace.zip", { start: edge - 3, end: edge + 3 })).toEqual(content.subarray(edge - 3, edge + 4));
    await expect(volume.open(runId, "trace.zip", { start: 0, end: content.length })).rejects.toMatchObject({
      code: "RANGE_NOT_SATISFIABLE",
    });
  });

  it("stands, joined by those that come while it is under way, and repeated by those that come after", async () => {
    const runId = randomUUID();
    const files = await stage({ "a.txt": "first" });
    const manifests = await Promise.all(Array.from({ length: 5 }, () => volume.commit(runId, staged, files)));
    expect(new Set(manifests.map((each) => JSON.stringify(each))).size).toBe(1);
    const again = await volume.commit(runId, staged, await stage({ "b.txt": "second" }), "partial");
    expect(again).toEqual(manifests[0]);
    expect(await volume.stat(runId, "b.txt")).toBe(null);
  });

  it("is not there when a file is missing, a link, named twice or has a name that no artifact has", async () => {
    const files = await stage({ "a.txt": "a" });
    await symlink("/etc/hostname", join(staged, "link.txt"));
    for (const name of ["missing.txt", "link.txt", "a.txt", "../x", "/etc/hostname", "manifest.json", "a b.txt", ""]) {
      const runId = randomUUID();
      await expect(volume.commit(runId, staged, [...files, { name, kind: "file" }]), name).rejects.toThrow();
      expect(await volume.manifest(runId)).toBe(null);
      expect(await volume.stat(runId, "a.txt")).toBe(null);
    }
    await expect(volume.commit("../x", staged, files)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  });

  it("is refused when the bucket has other bytes than were sent, and works once it has not", async () => {
    for (const [name, content] of [
      ["small.txt", Buffer.from("what was sent")],
      ["large.bin", randomBytes(9 * 1024 * 1024)],
    ] as const) {
      let isBad = true;
      await using proxy = await behind((method, path, body) => {
        if (isBad && method === "PUT" && path.includes(name)) body[3] = (body[3] as number) ^ 1;
        return body;
      });
      const spoilt = await proxy.open();
      const runId = randomUUID();
      const files = await stage({ [name]: content });
      await expect(spoilt.commit(runId, staged, files)).rejects.toThrow(`has something else than was sent as ${name}`);
      expect(await volume.manifest(runId)).toBe(null);
      isBad = false;
      await spoilt.commit(runId, staged, files);
      expect(content.equals((await contentOf(volume, runId, name)) ?? Buffer.alloc(0))).toBe(true);
    }
  });

  it("leaves nothing of an earlier attempt beside it", async () => {
    const runId = randomUUID();
    const files = await stage({ "a.txt": "a", "b.txt": "b" });
    let isAway = true;
    await using proxy = await behind((method, path, body) =>
      isAway && method === "PUT" && path.endsWith("manifest.json") ? "refuse" : body,
    );
    const flaky = await proxy.open();
    await expect(flaky.commit(runId, staged, files)).rejects.toMatchObject({ code: "POOL_UNREACHABLE" });
    expect(await volume.manifest(runId)).toBe(null);
    expect(await keys(`runs/${runId}/`)).toEqual([`runs/${runId}/a.txt`, `runs/${runId}/b.txt`]);
    isAway = false;
    await flaky.commit(runId, staged, [{ name: "a.txt", kind: "file" }]);
    expect(await keys(`runs/${runId}/`)).toEqual([`runs/${runId}/a.txt`, `runs/${runId}/manifest.json`]);
  });
});

describe("a bucket", () => {
  it("forgets a run at once when it is removed, and tells whether there was something", async () => {
    const runId = randomUUID();
    await volume.commit(runId, staged, await stage({ "a.txt": "a", "c/d.txt": "d" }));
    expect(await volume.remove(runId)).toBe(true);
    expect(await volume.manifest(runId)).toBe(null);
    expect(await contentOf(volume, runId, "a.txt")).toBe(null);
    expect(await keys(`runs/${runId}/`)).toEqual([]);
    expect(await volume.remove(runId)).toBe(false);
    expect(await volume.remove("../..")).toBe(false);
  });

  it("is swept of what broken commits left, and of nothing that is committed or still young", async () => {
    const [broken, whole] = [randomUUID(), randomUUID()];
    await using proxy = await behind((method, path, body) => (method === "PUT" && path.endsWith("manifest.json") ? "refuse" : body));
    await expect((await proxy.open()).commit(broken, staged, await stage({ "a.txt": "a" }))).rejects.toThrow();
    await volume.commit(whole, staged, await stage({ "a.txt": "a" }));
    await volume.sweep();
    expect(await keys(`runs/${broken}/`)).toHaveLength(1);
    await volume.sweep({ olderThanMs: -5_000 }); // the server's times have whole seconds
    expect(await keys(`runs/${broken}/`)).toEqual([]);
    expect(await keys("staging/")).toEqual([]);
    expect((await contentOf(volume, whole, "a.txt"))?.toString()).toBe("a");
  });

  it("that is away is told of, loses nothing, and is used again once it is back", async () => {
    const runId = randomUUID();
    const files = await stage({ "a.txt": "a" });
    expect(await volume.healthy()).toBe(true);
    await bucket.stop();
    const other = await openBucketVolume(bucket.place, bucket.credentials); // a node starts without it
    expect(await other.healthy()).toBe(false);
    await expect(other.commit(runId, staged, files)).rejects.toMatchObject({
      code: "POOL_UNREACHABLE",
      details: { reason: "bucket_refused" },
      retryAfterS: 2,
    });
    await bucket.start();
    await other.commit(runId, staged, files);
    expect((await contentOf(volume, runId, "a.txt"))?.toString()).toBe("a");
  });

  it("that does not know the key, or is not there, is refused at start, in words that name the setting", async () => {
    const wrong = { ...bucket.credentials, secretAccessKey: "not it" };
    await expect(openBucketVolume(bucket.place, wrong)).rejects.toThrow(
      "Cannot use the bucket of VOLUME_URL: The bucket answered SignatureDoesNotMatch",
    );
    await expect(openBucketVolume({ ...bucket.place, bucket: "nobody" }, bucket.credentials)).rejects.toThrow("NoSuchBucket");
  });

  it("that sends less than an artifact has breaks the read off, and ends it for who leaves", async () => {
    const runId = randomUUID();
    await volume.commit(runId, staged, await stage({ "a.bin": randomBytes(400_000) }));
    const stored = join(bucket.folder, "artifacts", bucket.place.prefix, "runs", runId, "a.bin._S3rver_object");
    expect(existsSync(stored)).toBe(true);
    const opened = await volume.open(runId, "a.bin");
    const body = opened?.body[Symbol.asyncIterator]();
    await body?.next();
    await body?.return?.();
    expect(await body?.next()).toEqual({ done: true, value: undefined });
    await truncate(stored, 1_000);
    await expect(contentOf(volume, runId, "a.bin")).rejects.toThrow("broke off in the middle of an artifact");
  });
});

describe("the address of a bucket", () => {
  it("is taken apart", () => {
    expect(readBucketUrl("s3://runs")).toEqual({
      endpoint: "https://s3.us-east-1.amazonaws.com",
      bucket: "runs",
      prefix: "",
      region: "us-east-1",
    });
    expect(readBucketUrl("s3://runs/a/b/?endpoint=http://127.0.0.1:9000&region=auto")).toEqual({
      endpoint: "http://127.0.0.1:9000",
      bucket: "runs",
      prefix: "a/b/",
      region: "auto",
    });
  });

  it("is nothing else than that", () => {
    const bad = [
      "s3://",
      "s3://R",
      "s3://runs/../x",
      "s3://runs/a//b",
      "s3://runs/a b",
      "s3://runs?endpoint=ftp://x",
      "s3://runs?endpoint=http://u:p@x",
      "s3://runs?x=1",
      "https://runs",
    ];
    for (const url of [...bad, "s3://runs?endpoint=http://x/path", "s3://runs?region=A"])
      expect(readBucketUrl(url), url).toMatch(/^Expected s3:/);
    expect(readBucketUrl("s3://b/p")).toMatch(/the name of a bucket has 3 to 63 characters/);
    fc.assert(
      fc.property(fc.string(), (text) => {
        const place = readBucketUrl(`s3://runs/${text}`);
        if (typeof place === "string") return true;
        return new URL(`${place.endpoint}/${place.bucket}/${place.prefix}x`).pathname === `/${place.bucket}/${place.prefix}x`;
      }),
    );
  });
});
