import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openQueue } from "../../pool/queue/boss.ts";
import type { Claim } from "../../pool/queue/claim.ts";
import { claimNext, createRun, type DispatchDeps } from "../../pool/queue/dispatch.ts";
import { slotsOfKeys } from "../../pool/queue/key-limits.ts";
import { listRuns } from "../../pool/store/run-list.ts";
import { countQueued, queuePosition } from "../../pool/store/runs.ts";
import type { Store } from "../../pool/store/sql.ts";
import { parseKeyLimits } from "../../shared/key-limits.ts";
import { ListRunsSchema } from "../../shared/run.ts";
import { claimant, newRun, OUTCOME, quiet } from "../support/run-fixtures.ts";
import { eachStore, type TestStore } from "../support/store.ts";

/** The store's dispatcher under these limits. */
async function under(text: string, { store, deps }: TestStore): Promise<DispatchDeps & AsyncDisposable> {
  const keyLimits = parseKeyLimits(text) ?? new Map();
  const queue = await openQueue({ store, log: quiet, groupLimits: slotsOfKeys(keyLimits) });
  return { ...deps, queue, keyLimits, [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose]() };
}

const post = async (deps: DispatchDeps, key: string, body: Record<string, unknown> = {}, slot = false) => {
  const run = newRun(body, { api_key_name: key });
  const created = await createRun(deps, run, { claimFor: slot ? claimant() : null, idempotency: null });
  return { ...created, run_id: run.run_id };
};
const places = (store: Store, ids: string[]) => Promise.all(ids.map((id) => queuePosition(store, id)));

eachStore("the queue", (opened) => {
  it("starts the highest priority first, the oldest among equals, and says so beforehand", async () => {
    const { deps, store } = opened();
    const [low, first, second, high] = [
      await post(deps, "a", { priority: 0 }),
      await post(deps, "a"),
      await post(deps, "b"),
      await post(deps, "b", { priority: 9 }),
    ];
    const ids = [high, first, second, low].map(({ run_id }) => run_id);
    expect(await places(store, ids)).toEqual([1, 2, 3, 4]);
    const { runs } = await listRuns(store, ListRunsSchema.parse({}), null);
    expect(ids.map((id) => runs.find(({ run_id }) => run_id === id)?.queue_position)).toEqual([1, 2, 3, 4]);
    const claimed: (string | undefined)[] = [];
    for (const _ of ids) claimed.push((await claimNext(deps, claimant()))?.run.run_id);
    expect(claimed).toEqual(ids);
  });

  it("lets a key have its slots and no more, holds nobody up behind it, and goes on with it once one is free", async () => {
    const { writer } = opened();
    await using deps = await under("greedy:running=1", opened());
    const greedy = [await post(deps, "greedy"), await post(deps, "greedy"), await post(deps, "greedy")];
    const modest = [await post(deps, "modest"), await post(deps, "modest")];
    const claims: Claim[] = [];
    for (let claim = await claimNext(deps, claimant()); claim; claim = await claimNext(deps, claimant())) claims.push(claim);
    expect(claims.map(({ run }) => run.run_id)).toEqual([greedy[0], ...modest].map((each) => each?.run_id));
    const waits = await post(deps, "greedy", {}, true); // at a node with a free slot
    expect([waits.status, waits.claim]).toEqual(["queued", null]);
    const [{ fence, run } = expect.fail("no claim")] = claims;
    writer.adopt({ fence, status: run.status, last_event_id: run.last_event_id });
    await writer.transition(fence, "completed", OUTCOME);
    expect((await claimNext(deps, claimant()))?.run.run_id).toBe(greedy[1]?.run_id);
    expect(await claimNext(deps, claimant())).toBe(null);
  });

  it("never gives a key more slots than it may have, however many claim at the same moment", async () => {
    await using deps = await under("*:running=3", opened());
    for (let n = 0; n < 8; n++) await post(deps, n % 2 ? "a" : "b");
    const claims = await Promise.all(Array.from({ length: 8 }, () => claimNext(deps, claimant())));
    const owners = claims.flatMap((claim) => (claim ? [claim.run.api_key_name] : []));
    expect(owners.toSorted()).toEqual(["a", "a", "a", "b", "b", "b"]);
  });

  it("keeps its bound where slots are free, and no key that waits may have one", async () => {
    await using deps = await under("*:running=1", opened());
    const bounded = { ...deps, queueMax: 2 };
    for (const status of ["starting", "queued", "queued"]) expect((await post(bounded, "a", {}, true)).status).toBe(status);
    await expect(post(bounded, "a", {}, true)).rejects.toMatchObject({ code: "POOL_SATURATED", details: { reason: "queue_full" } });
    expect((await post(bounded, "b", {}, true)).status).toBe("starting"); // a claim needs no room in it
  });

  it("refuses a key that has its share of waiting runs, exactly at its bound, and no other", async () => {
    const { store } = opened();
    await using deps = await under("a:queued=3", opened());
    const posts = await Promise.allSettled(Array.from({ length: 6 }, () => post(deps, "a")));
    expect(posts.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    const refused = posts.find((each): each is PromiseRejectedResult => each.status === "rejected");
    expect(refused?.reason).toMatchObject({ code: "RATE_LIMITED", retryAfterS: 5, details: { reason: "key_queue", queued: 3 } });
    await post(deps, "b");
    expect(await countQueued(store)).toBe(4);
  });

  it("refuses a key that posts too fast, says when to come back, and leaves nothing of what it refused", async () => {
    const { store } = opened();
    await using deps = await under("a:per_minute=2", opened());
    const posts = await Promise.allSettled(Array.from({ length: 5 }, () => post(deps, "a", {}, true)));
    expect(posts.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    await expect(post(deps, "a")).rejects.toMatchObject({ code: "RATE_LIMITED", details: { reason: "key_rate", per_minute: 2 } });
    const retryAfterS = await post(deps, "a").catch((error) => error.retryAfterS);
    expect(retryAfterS).toBeGreaterThan(50);
    expect(retryAfterS).toBeLessThanOrEqual(60);
    await store.query("DELETE FROM understudy.runs WHERE api_key_name = 'a'", []);
    await expect(post(deps, "a"), "deleting what it has posted").rejects.toMatchObject({ details: { reason: "key_rate" } });
    await store.query("UPDATE understudy.key_posts SET at = at - interval '61 seconds' WHERE api_key_name = 'a'", []);
    await post(deps, "a");
    expect(await store.query("SELECT 1 FROM understudy.key_posts WHERE api_key_name = 'a'", [])).toHaveLength(1);
  });
});

describe("limits of keys", () => {
  it("are read by name and kind, and nothing else is", () => {
    expect(parseKeyLimits("a:running=2+per_minute=60, *:queued=10")).toEqual(
      new Map([
        ["a", { running: 2, per_minute: 60 }],
        ["*", { queued: 10 }],
      ]),
    );
    for (const bad of [
      "",
      "a",
      "a:",
      "a:running",
      "a:running=0",
      "a:running=1+running=2",
      "a:walking=1",
      "a:running=1,a:queued=1",
      "a b:running=1",
    ]) {
      expect(parseKeyLimits(bad), bad).toBe(null);
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const limits = parseKeyLimits(text);
        return limits === null || [...limits.values()].every((each) => Object.values(each).every((n) => n >= 1));
      }),
    );
  });

  it("of slots hold for those that are named, and for all others where * is", () => {
    const slots = (text: string) => slotsOfKeys(parseKeyLimits(text) ?? expect.fail(text));
    expect(slots("a:queued=1,*:per_minute=9")).toBe(null);
    expect(slots("a:queued=1,*:running=2")).toEqual({ default: 2, tiers: { a: 1_000_000 } });
    expect(slots("a:running=1")).toEqual({ default: 1_000_000, tiers: { a: 1 } });
  });
});
