import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startUpkeep } from "../../pool/store/upkeep.ts";
import { quiet } from "../support/run-fixtures.ts";
import { eachStore, eventually } from "../support/store.ts";

eachStore("upkeep", (opened, kind) => {
  it("forgets idempotency keys that have expired, what keys have posted long ago, and that runs were deleted", async () => {
    const { store } = opened();
    const add = (key: string, age: string) =>
      store.query(
        `INSERT INTO understudy.idempotency VALUES ('tester', $1, '\\x00', gen_random_uuid(), 'queued', now() + interval '${age}')`,
        [key],
      );
    await add("old", "-1 second");
    await add("young", "1 hour");
    await store.query("INSERT INTO understudy.key_posts VALUES ('a', now() - interval '2 hours'), ('b', now())", []);
    await store.query("INSERT INTO understudy.deleted_runs VALUES (gen_random_uuid(), 'a', now() - interval '25 hours')", []);
    await using _upkeep = startUpkeep({ store, log: quiet, vacuumMs: 5, checkpointMs: 5 });
    await eventually(() => store.query("SELECT key FROM understudy.idempotency", [])).toEqual([{ key: "young" }]);
    await eventually(() => store.query("SELECT api_key_name FROM understudy.key_posts", [])).toEqual([{ api_key_name: "b" }]);
    await eventually(() => store.query("SELECT run_id FROM understudy.deleted_runs", [])).toEqual([]);
  });

  if (kind === "embedded")
    it("keeps the log and the tables of the embedded store small, and leaves them clean at its end", async () => {
      const { store, dataDir } = opened();
      const churn = async () => {
        for (let i = 0; i < 10; i++) {
          await store.query(
            "INSERT INTO understudy.nodes SELECT n::text, 'b', to_json(repeat('x', 2000)), now() FROM generate_series(1, 1000) n",
            [],
          );
          await store.query("DELETE FROM understudy.nodes", []);
        }
      };
      await churn();
      const upkeep = startUpkeep({ store, log: quiet });
      await upkeep[Symbol.asyncDispose]();
      const [tables] = await store.query<{ bytes: number }>("SELECT pg_total_relation_size('understudy.nodes')::int AS bytes", []);
      expect(tables?.bytes).toBeLessThan(1_000_000);
      const wal = join(dataDir, "store", "pg_wal");
      const segments = (await readdir(wal)).filter((name) => /^[0-9A-F]{24}$/.test(name));
      const bytes = (await Promise.all(segments.map((name) => stat(join(wal, name))))).reduce((sum, { size }) => sum + size, 0);
      expect(bytes).toBeLessThanOrEqual(80 * 1024 * 1024);
    });
});
