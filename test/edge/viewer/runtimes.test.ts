/** Links to the viewer, its page and its files, at the edge on Node and on Deno. */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunEvent } from "../../../shared/event.ts";
import { findDeno } from "../../support/deno.ts";
import { edgeOnDeno, edgeOnNode, KEYS, type TestEdge } from "../../support/edge.ts";
import { StandInNode, type StandInRun, StandInStore, VIEWER_INDEX } from "../../support/stand-in-node.ts";
import { readEvents, same } from "../../support/streams.ts";

const runtimes = [
  { runtime: "Node", start: edgeOnNode },
  { runtime: "Deno", start: edgeOnDeno },
].filter(({ runtime }) => runtime === "Node" || findDeno() !== null || process.env.CI === "true"); // in CI its absence is a failure

const at = new Date(0).toISOString();
const complete: RunEvent = { type: "complete", at, status: "completed" };
const queued: RunEvent = { type: "status", at, status: "queued", previous: null, node_id: null, attempt: 1 };

describe.each(runtimes)("the edge on $runtime", ({ start }) => {
  const store = new StandInStore();
  let other: StandInNode; // answers for the store
  let owner: StandInNode; // has the live runs
  let edge: TestEdge;

  beforeAll(async () => {
    other = await StandInNode.start({ store });
    owner = await StandInNode.start({ store });
    edge = await start([other]);
  });
  afterAll(async () => {
    for (const each of [edge, owner, other]) await each?.[Symbol.asyncDispose]();
  });

  const live = new Uint8Array(randomBytes(300_000));
  const stored = new Uint8Array(randomBytes(70_001));
  const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

  describe("a link to the viewer", () => {
    const linkTo = async (run: StandInRun, key = KEYS.reader): Promise<string> => {
      const response = await edge.get(`/runs/${run.run_id}/recording/viewer`, { key, redirect: "manual" });
      expect(response.status).toBe(302);
      const [path, link = ""] = response.headers.get("location")?.split("#") ?? [];
      expect(path).toBe("/trace-viewer/run");
      return link;
    };
    const codeOf = async (response: Response) => {
      const { error } = (await response.json()) as { error: { code: string; details: { reason?: string } | null } };
      return [response.status, error.code, error.details?.reason];
    };

    it("is a redirect, or JSON for who asks for that; the run must be the caller's own", async () => {
      const run = store.addRun({ owner, liveTrace: live });
      expect(await linkTo(run, KEYS.tester)).toMatch(/^[\w-]+\.[\w-]{43}$/);
      const response = await edge.get(`/runs/${run.run_id}/recording/viewer`, { headers: { accept: "application/json" } });
      const { viewer_url, expires_at } = (await response.json()) as { viewer_url: string; expires_at: string };
      expect([response.status, response.headers.get("location"), response.headers.get("cache-control")]).toEqual([200, null, "no-store"]);
      expect(viewer_url).toMatch(/^\/trace-viewer\/run#/);
      expect(Date.parse(expires_at) - Date.now()).toBeGreaterThan(3_500_000);
      expect(JSON.stringify(await codeOf(await edge.get(`/runs/${run.run_id}/recording/viewer`, { key: KEYS.other })))).toContain(
        "NOT_FOUND",
      );
      expect(await codeOf(await edge.get(`/runs/${run.run_id}/recording/viewer`, { key: null }))).toEqual([401, "UNAUTHORIZED", undefined]);
    });

    it("reads that run's trace and events, live and stored, and nothing else", async () => {
      const liveRun = store.addRun({ api_key_name: "reader", owner, liveTrace: live, events: [queued, queued, complete] });
      const storedRun = store.addRun({ api_key_name: "reader", storedTrace: stored, events: [complete] });
      for (const [run, bytes, events] of [
        [liveRun, live, 3],
        [storedRun, stored, 1],
      ] as const) {
        const key = await linkTo(run);
        expect(same(await bytesOf(await edge.get("/trace-viewer/run/trace", { key })), bytes)).toBe(true);
        expect(await readEvents(await edge.get("/trace-viewer/run/events", { key }))).toHaveLength(events);
        expect((await edge.get("/trace-viewer/run/events", { key, headers: { "last-event-id": "3" } })).status).toBe(204);
        for (const path of [
          `/runs/${run.run_id}`,
          `/runs/${run.run_id}/recording/trace`,
          `/runs/${run.run_id}/recording/viewer`,
          "/runs",
          "/pool/nodes",
        ])
          expect((await edge.get(path, { key })).status).toBe(401);
      }
    });

    it("is refused by its code when it is no link, and a key is none", async () => {
      for (const path of ["/trace-viewer/run/trace", "/trace-viewer/run/events"])
        for (const key of [null, KEYS.tester, "a.b"])
          expect(await codeOf(await edge.get(path, { key }))).toEqual([401, "UNAUTHORIZED", "link_invalid"]);
    });

    it("opens a page that runs its own script alone, and a viewer whose files a node gave", async () => {
      const get = (path: string, headers: Record<string, string> = {}) => edge.get(path, { key: null, headers, redirect: "manual" });
      const page = await get("/trace-viewer/run");
      const script = /<script>([\s\S]*)<\/script>/.exec(await page.text())?.[1] ?? "";
      const digest = Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script))).toString("base64");
      expect(page.headers.get("content-security-policy")).toContain(`script-src 'sha256-${digest}'`);
      expect(() => new Function(script)).not.toThrow(); // JavaScript, whatever the runtime made of our TypeScript

      const index = await get("/trace-viewer/");
      expect([index.status, await index.text()]).toEqual([200, VIEWER_INDEX]);
      expect(Object.fromEntries(index.headers)).toMatchObject({
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-cache",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "content-security-policy": expect.stringMatching(
          /^default-src 'none'; script-src 'self' 'sha256-[^' ]+'; .*frame-ancestors 'self'$/,
        ),
      });
      const inline = createHash("sha256").update("\n  void 0;\n").digest("base64"); // as browsers read it
      expect(index.headers.get("content-security-policy")).toContain(`'sha256-${inline}'`);
      const again = await get("/trace-viewer/index.html", { "if-none-match": index.headers.get("etag") ?? "" });
      expect([again.status, await again.text()]).toEqual([304, ""]);
      const hashed = await get("/trace-viewer/assets/index-BY2vkw8A.js", { "accept-encoding": "gzip" });
      expect(hashed.headers.get("content-security-policy")).toContain("script-src 'self'; ");
      expect(hashed.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      expect([hashed.headers.get("content-encoding"), await hashed.text()]).toEqual(["gzip", "void 0;\n".repeat(100)]);
      const plain = await get("/trace-viewer/sw.bundle.js", { "accept-encoding": "identity" });
      expect([plain.headers.get("content-encoding"), await plain.text()]).toEqual([null, "// ü\n".repeat(100)]);
      expect((await get("/trace-viewer")).headers.get("location")).toBe("/trace-viewer/");
      expect((await get("/trace-viewer/..%2fpackage.json")).status).toBe(404);
      expect(owner.count("viewer") + other.count("viewer")).toBe(1); // asked once, kept
    });
  });
});
