import { describe, expect, it } from "vitest";
import { edgeOnNode, KEYS, type TestEdge } from "../../support/edge.ts";
import { notHttp, reset, silence, status } from "../../support/stand-in-faults.ts";
import { StandInNode, StandInStore } from "../../support/stand-in-node.ts";

const post = (edge: TestEdge, headers: Record<string, string> = {}, key: string = KEYS.tester) =>
  edge.get("/runs", {
    method: "POST",
    key,
    headers: { "content-type": "application/json", ...headers },
    body: '{"directive":"cancel order 12345"}',
  });
const saturated = (retryAfter: number) => (response: Parameters<typeof reset>[0]) => {
  response.setHeader("retry-after", retryAfter);
  status(503, '{"error":{"code":"POOL_SATURATED","message":"The queue is full","details":{"reason":"queue_full"}}}')(response);
};

/** Two nodes and an edge. The first is the better one, so that runs are sent there first. */
async function twoNodes() {
  const stack = new AsyncDisposableStack();
  const store = new StandInStore();
  const better = stack.use(await StandInNode.start({ store }));
  const other = stack.use(await StandInNode.start({ store, info: { browsers: { warm: 0, busy: 0 } } }));
  const edge = stack.use(await edgeOnNode([better, other], {}, { refreshMs: 60_000 }));
  await edge.get("/readyz", { key: null });
  return { store, better, other, edge, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("creating a run", () => {
  it("sends the body as it came, the key's name, the request id and an idempotency key of its own", async () => {
    await using pool = await twoNodes();
    const { better, edge } = pool;
    const response = await post(edge, { "x-request-id": "req-1" });
    expect([response.status, response.headers.get("x-request-id")]).toEqual([202, "req-1"]);
    const [seen] = better.seen.filter(({ route }) => route === "create");
    expect(seen?.body).toBe('{"directive":"cancel order 12345"}');
    expect(seen?.headers).toMatchObject({ "x-api-key-name": "tester", "x-request-id": "req-1", "content-type": "application/json" });
    expect(seen?.headers["idempotency-key"]).toMatch(/^edge-[0-9a-f-]{36}$/);
  });

  it("names the key even for a key that sees everybody's runs, and passes its idempotency key on", async () => {
    await using pool = await twoNodes();
    const [a, b] = [
      await post(pool.edge, { "idempotency-key": "mine" }, KEYS.admin),
      await post(pool.edge, { "idempotency-key": "mine" }, KEYS.admin),
    ];
    expect(await a.json()).toEqual(await b.json());
    expect(pool.store.runs.size).toBe(1);
    expect(pool.better.seen.find(({ route }) => route === "create")?.headers).toMatchObject({
      "x-api-key-name": "admin",
      "idempotency-key": "mine",
    });
  });

  it.each([
    ["refuses", null],
    ["resets", reset],
    ["answers 500", status(500)],
    ["does not speak HTTP", notHttp],
    ["is full", saturated(7)],
  ])("goes to another node with the same idempotency key when the first %s", async (_, fault) => {
    await using pool = await twoNodes();
    const { better, other, edge } = pool;
    if (fault) better.faults.set("create", fault);
    else await better.refuse();
    expect((await post(edge)).status).toBe(202);
    const keys = [...better.seen, ...other.seen].filter(({ route }) => route === "create").map(({ headers }) => headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(1);
    expect(other.count("create")).toBe(1);
  });

  it("makes one run when the first node has taken it and could not say so", async () => {
    await using pool = await twoNodes();
    const { better, edge, store } = pool;
    const key = "the-key";
    const run = store.addRun({ owner: better });
    store.byKey.set(key, run.run_id);
    better.faults.set("create", reset);
    expect(await (await post(edge, { "idempotency-key": key })).json()).toMatchObject({ run_id: run.run_id });
    expect(store.runs.size).toBe(1);
  });

  it("passes on that all are full, with the least Retry-After", async () => {
    await using pool = await twoNodes();
    const { better, other, edge } = pool;
    better.faults.set("create", saturated(7));
    other.faults.set("create", saturated(3));
    const response = await post(edge);
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "3"]);
    expect(await response.json()).toMatchObject({ error: { code: "POOL_SATURATED", details: { reason: "queue_full" } } });
  });

  it("asks no other node when the first has judged the request", async () => {
    await using pool = await twoNodes();
    const { better, other, edge } = pool;
    better.faults.set("create", status(409, '{"error":{"code":"CONFLICT","message":"Another body","details":null}}'));
    expect((await post(edge)).status).toBe(409);
    expect(other.count("create")).toBe(0);
  });

  it("is 502 when no node answers", async () => {
    await using edge = await edgeOnNode(["http://127.0.0.1:1"]);
    const response = await post(edge);
    expect([response.status, response.headers.has("retry-after")]).toEqual([502, true]);
    expect(await response.json()).toMatchObject({ error: { code: "POOL_UNREACHABLE", details: { reason: "refused" } } });
  });

  it("checks without creating when asked for a dry run", async () => {
    await using pool = await twoNodes();
    const { edge, store } = pool;
    const response = await edge.get("/runs?dry_run=true", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"directive":"x"}',
    });
    expect([response.status, store.runs.size]).toEqual([200, 0]);
    expect(await response.json()).toMatchObject({ valid: true });
  });
});

describe("deleting a run", () => {
  it.each([
    [0, 404],
    [1, 204],
    [2, 204],
  ])("is done where the node that did it was not heard of, and only there: %i times, %i", async (resets, expected) => {
    await using pool = await twoNodes();
    let asked = 0;
    const gone = status(404, '{"error":{"code":"NOT_FOUND","message":"No run has this id","details":null}}');
    for (const node of [pool.better, pool.other]) node.faults.set("delete", (response) => (asked++ < resets ? reset : gone)(response));
    const { run_id } = pool.store.addRun();
    expect((await pool.edge.get(`/runs/${run_id}`, { method: "DELETE" })).status).toBe(expected);
    expect(asked).toBe(resets + 1);
  });
});

describe("asking the pool", () => {
  it("never shows the operator's trouble with the token as the caller's", async () => {
    await using pool = await twoNodes();
    for (const node of [pool.better, pool.other])
      node.faults.set("list", status(401, '{"error":{"code":"UNAUTHORIZED","message":"no","details":null}}'));
    const response = await pool.edge.get("/runs");
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([502, null]);
    expect(await response.json()).toMatchObject({ error: { details: { reason: "token_refused" } } });
  });

  it("hands on the list's query as it was checked, and the key's name", async () => {
    await using pool = await twoNodes();
    await pool.edge.get("/runs?status=failed&label=team%3Da%26b&limit=7&cursor=abc");
    const seen = [...pool.better.seen, ...pool.other.seen].find(({ route }) => route === "list");
    expect(Object.fromEntries(new URL(seen?.url ?? "", "http://x").searchParams)).toEqual({
      status: "failed",
      label: "team=a&b",
      limit: "7",
      cursor: "abc",
    });
    expect(seen?.headers["x-api-key-name"]).toBe("tester");
    await pool.edge.get("/runs?limit=8", { key: KEYS.admin });
    const all = [...pool.better.seen, ...pool.other.seen].find(({ url }) => url.includes("limit=8"));
    expect([all?.route, all?.headers["x-api-key-name"]]).toEqual(["list", undefined]);
  });

  it("drains and resumes the node that is named", async () => {
    await using pool = await twoNodes();
    const path = (verb: string) => `/pool/nodes/${pool.other.node_id}/${verb}`;
    const post = (verb: string) => pool.edge.get(path(verb), { method: "POST", key: KEYS.admin });
    expect(await (await post("drain")).json()).toMatchObject({ node_id: pool.other.node_id, state: "draining" });
    expect(await (await post("resume")).json()).toMatchObject({ state: "ready" });
    const asked = pool.other.seen.filter(({ route }) => route === "admin");
    expect(asked.map(({ headers }) => headers["x-expected-node-id"])).toEqual([pool.other.node_id, pool.other.node_id]);
    expect((await pool.edge.get("/pool/nodes/nobody/drain", { method: "POST", key: KEYS.admin })).status).toBe(404);
    expect((await pool.edge.get(path("drain"), { method: "POST" })).status).toBe(403);
    expect(await (await pool.edge.get(`/pool/nodes/${pool.better.node_id}`, { key: KEYS.admin })).json()).toMatchObject({
      node_id: pool.better.node_id,
    });
  });

  it("drains a node also while no node can list the members", async () => {
    await using pool = await twoNodes();
    const away = status(503, '{"error":{"code":"POOL_SATURATED","message":"The store is away","details":{"reason":"store_away"}}}');
    for (const node of [pool.better, pool.other]) node.faults.set("nodes", away);
    const drain = (id: string) => pool.edge.get(`/pool/nodes/${id}/drain`, { method: "POST", key: KEYS.admin });
    expect(await (await drain(pool.other.node_id)).json()).toMatchObject({ node_id: pool.other.node_id, state: "draining" });
    expect((await drain("nobody")).status).toBe(502);
  });

  it("shows the browsers of the nodes that answer, and names the others", async () => {
    await using pool = await twoNodes();
    pool.other.faults.set("admin", status(500));
    expect(await (await pool.edge.get("/pool/browsers", { key: KEYS.admin })).json()).toMatchObject({
      browsers: [{ node_id: pool.better.node_id }],
      missing_nodes: [pool.other.node_id],
    });
  });

  it("is not ready when no node is, and says why without an address", async () => {
    await using pool = await twoNodes();
    pool.better.info = { state: "draining" };
    await pool.other.refuse();
    await using edge = await edgeOnNode([pool.better, pool.other]);
    const response = await edge.get("/readyz", { key: null });
    const body = (await response.json()) as { ready: boolean; reasons: string[]; error: { code: string } };
    expect([response.status, body.ready, body.error.code]).toEqual([503, false, "POOL_SATURATED"]);
    expect(body.reasons.join()).not.toContain("127.0.0.1");
  });

  it("takes no longer for a frozen owner than the limit, and answers from the store", async () => {
    await using pool = await twoNodes();
    const run = pool.store.addRun({ owner: pool.other });
    pool.other.faults.set("live.run", silence);
    const before = performance.now();
    expect((await pool.edge.get(`/runs/${run.run_id}`)).status).toBe(200);
    expect(performance.now() - before).toBeLessThan(4_000);
  });
});
