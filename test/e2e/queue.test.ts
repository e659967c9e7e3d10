/** Many runs on few slots. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openLogin } from "../support/playbooks.ts";
import { openTestSystem, type TestSystem } from "../support/system.ts";

let system: TestSystem;
beforeAll(async () => {
  system = await openTestSystem({ env: { POOL_KEY_LIMITS: "other:per_minute=1" } });
});
afterAll(() => system?.[Symbol.asyncDispose]());

it("ends 6 runs that are posted at once on 2 slots: each once, its log its own", { timeout: 120_000 }, async () => {
  const { writer } = system.as;
  const created = await Promise.all(
    Array.from({ length: 6 }, (_, i) => writer.create({ ...openLogin(`${system.dashboard.url}`), labels: { n: String(i) } })),
  );
  const finished = await Promise.all(created.map(({ run_id }) => writer.finished(run_id)));
  for (const { run, events } of finished) {
    expect(run.status).toBe("completed");
    expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1));
    expect(events.filter(({ event }) => event.type === "status" && event.status === "starting")).toHaveLength(1);
    expect(run.actions.map(({ seq }) => seq)).toEqual([1, 2]);
    await writer.settled(run.run_id);
    const log = JSON.parse(await readFile(join(system.dataDir, "volume", "runs", run.run_id, "action_log.json"), "utf8"));
    expect(log).toMatchObject({ run_id: run.run_id, actions: [{ seq: 1 }, { seq: 2 }] });
  }
  const { runs } = await writer.json<{ runs: { run_id: string }[] }>("/runs?label=n=5");
  expect(runs.map(({ run_id }) => run_id)).toEqual([created[5]?.run_id]);
});

it("refuses a key that posts faster than it may, and tells it when to come back", async () => {
  const { other, writer } = system.as;
  const body = openLogin(system.dashboard.url);
  const headers = { "Idempotency-Key": "once" };
  const { run_id } = await other.create(body, headers);
  const refused = await other.call("/runs", { method: "POST", body: JSON.stringify(body) });
  const { error } = (await refused.json()) as { error: { code: string; details: unknown } };
  expect([refused.status, error.code, error.details]).toEqual([429, "RATE_LIMITED", { reason: "key_rate", per_minute: 1 }]);
  expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(1);
  expect((await other.create(body, headers)).run_id).toBe(run_id); // the same again is not one more
  await writer.finished((await writer.create({ ...body, priority: 9 })).run_id);
});

it("tells what its Chromes take of memory, and what is left on its disks", async () => {
  const values = async (name: string) => {
    const response = await fetch(`${system.node.url}/metrics`, { headers: { Authorization: `Bearer ${system.token}` } });
    return [...(await response.text()).matchAll(new RegExp(`^${name}\\{.*\\} ([0-9.e+]+)$`, "gm"))].map(([, value]) => Number(value));
  };
  let bytes = 0;
  await expect // the next warm Chrome may still be on its way
    .poll(async () => {
      bytes = (await values("understudy_browser_memory_bytes")).reduce((sum, each) => sum + each, 0);
      return bytes;
    })
    .toBeGreaterThan(20e6);
  expect(bytes).toBeLessThan(20e9);
  const free = await values("understudy_disk_free_bytes");
  expect([free.length, free.every((each) => each > 0)]).toEqual([2, true]);
});
