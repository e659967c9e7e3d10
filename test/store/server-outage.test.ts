import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readEvents } from "../../pool/store/events.ts";
import { StoreOutage } from "../../pool/store/sql.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { OUTCOME } from "../support/run-fixtures.ts";
import { claimedRun, openTestStore } from "../support/store.ts";

const hint = (reason: string) =>
  ({ type: "guardrail", at: new Date().toISOString(), rule: "r", kind: "hint", reason, action_seq: null, host: null }) as const;

describe.skipIf(postgresMissing !== null)(`a short outage of Postgres${postgresMissing === null ? "" : `: ${postgresMissing}`}`, () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres?.[Symbol.asyncDispose]());

  it.each(["kill", "stop"] as const)(
    "is survived by a run (%s, then started again): its events are all there, in order, once",
    async (end) => {
      await using opened = await openTestStore("server", { databaseUrl: await postgres.createDatabase() });
      const { fence } = await claimedRun(opened);
      const texts = Array.from({ length: 120 }, (_, n) => String(n));
      const answers: Promise<unknown>[] = [];
      let restarted: Promise<void> | null = null;
      for (const [n, text] of texts.entries()) {
        answers.push(opened.writer.append(fence, hint(text)));
        if (n === 40) restarted = postgres[end]().then(() => postgres.start());
        if (n % 10 === 0 && n < 40) await answers.at(-1);
      }
      await Promise.all(answers);
      await opened.writer.transition(fence, "failed", OUTCOME);
      await restarted;
      const events = await readEvents(opened.store, fence.run_id, 0, 1000);
      expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1));
      expect(events.flatMap(({ event }) => (event.type === "guardrail" ? [event.reason] : []))).toEqual(texts);
      expect(events.at(-1)?.event.type).toBe("complete");
    },
  );

  it("is named as what it is while it lasts, and listeners hear again afterwards that they may have missed something", async () => {
    await using opened = await openTestStore("server", { databaseUrl: await postgres.createDatabase() });
    const { promise: missed, resolve: onMissed } = Promise.withResolvers<void>();
    const { promise: heard, resolve: onHeard } = Promise.withResolvers<void>();
    await using _listening = await opened.store.listen("understudy_probe", (payload) => (payload === "" ? onMissed() : onHeard()));
    await postgres.kill();
    await expect(opened.store.query("SELECT 1", [])).rejects.toThrow(StoreOutage);
    await expect(opened.store.transaction((tx) => tx.query("SELECT 1", []))).rejects.toThrow(StoreOutage);
    await expect(opened.store.healthy()).resolves.toBe(false);
    await postgres.start();
    await missed;
    await opened.store.query("SELECT pg_notify('understudy_probe', 'x')", []);
    await heard;
    await expect(opened.store.healthy()).resolves.toBe(true);
  });

  it("of one node, frozen within a transaction, is ended by the server: its locks do not stop the pool", async () => {
    await using opened = await openTestStore("server", { databaseUrl: await postgres.createDatabase() });
    const [limit] = await opened.store.query<{ setting: string }>(
      "SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'",
      [],
    );
    expect(Number(limit?.setting)).toBe(5_000);
    const frozen = opened.store.transaction(async (tx) => {
      await tx.query("SET LOCAL idle_in_transaction_session_timeout = 1", []); // as the limit, and nobody has to wait for it
      await expect
        .poll(
          () =>
            tx.query("SELECT 1", []).then(
              () => "alive",
              (error: unknown) => error,
            ),
          { interval: 20 },
        )
        .toBeInstanceOf(StoreOutage);
    });
    await expect(frozen).rejects.toThrow(StoreOutage);
  });

  it("in the middle of a transaction leaves the next one a sound connection", async () => {
    await using opened = await openTestStore("server", { databaseUrl: await postgres.createDatabase() });
    const broken = opened.store.transaction(async (tx) => {
      await tx.query("SELECT 1", []);
      await postgres.kill();
      await tx.query("SELECT 1", []);
    });
    await expect(broken).rejects.toThrow(StoreOutage);
    await postgres.start();
    await expect(opened.store.transaction((tx) => tx.query("SELECT 1 AS a", []))).resolves.toEqual([{ a: 1 }]);
  });
});
