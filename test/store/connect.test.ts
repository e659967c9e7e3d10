import { mkdtemp, mkdtempDisposable, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openStore, type Sql } from "../../pool/store/connect.ts";
import { postgresMissing } from "../support/postgres.ts";
import { quiet } from "../support/run-fixtures.ts";
import { eachStore, eventually, openTestStore, sharedPostgres } from "../support/store.ts";
import { usedBytes } from "../support/used-bytes.ts";

eachStore("a store", (opened, kind) => {
  it("runs a script of several statements when there are no values", async () => {
    const rows = await opened().store.query("SELECT 1 AS a; SELECT 2 AS a");
    expect(rows).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it("gives values back as they were, on both kinds in the same form", async () => {
    const at = new Date("2026-01-02T03:04:05.678Z");
    const [row] = await opened().store.query<{ bytes: Uint8Array; at: Date }>(
      `SELECT $1::json AS json, $2::jsonb AS jsonb, $3::bytea AS bytes, $4::timestamptz AS at, $5::text[] AS list, $6::text AS nothing,
       1.5::float8 AS float, 7::int AS int, $7::uuid AS id`,
      ['{"b":1,"a":[2]}', '"x"', Uint8Array.of(0, 255), at, ["a", 'b"'], null, "6cf345f3-db04-4db3-b84f-bb228417daed"],
    );
    expect({ ...row, bytes: [...(row?.bytes ?? [])] }).toEqual({
      json: { b: 1, a: [2] },
      jsonb: "x",
      bytes: [0, 255],
      at,
      list: ["a", 'b"'],
      nothing: null,
      float: 1.5,
      int: 7,
      id: "6cf345f3-db04-4db3-b84f-bb228417daed",
    });
  });

  it("keeps all of a transaction, or nothing", async () => {
    const { store } = opened();
    await store.query("CREATE TEMP TABLE IF NOT EXISTS nothing (n int); CREATE TABLE IF NOT EXISTS understudy.probe (n int)");
    await expect(
      store.transaction(async (tx) => {
        await tx.query("INSERT INTO understudy.probe VALUES ($1)", [1]);
        throw new RangeError("no");
      }),
    ).rejects.toThrow(RangeError);
    await store.transaction((tx) => tx.query("INSERT INTO understudy.probe VALUES ($1)", [2]));
    expect(await store.query("SELECT n FROM understudy.probe", [])).toEqual([{ n: 2 }]);
    await store.query("DROP TABLE understudy.probe");
  });

  it("does not let what follows a failed statement of a transaction pass for done", async () => {
    const { store } = opened();
    const swallowed = store.transaction(async (tx) => {
      await tx.query("SELECT 1/0", []).catch(() => {});
    });
    await expect(swallowed).rejects.toThrow();
    await expect(store.query("SELECT 1 AS a", [])).resolves.toEqual([{ a: 1 }]);
  });

  it("is as before after a script that broke off inside its own transaction", async () => {
    const { store } = opened();
    await expect(store.query("BEGIN; SELECT 1/0; COMMIT")).rejects.toThrow(/division by zero/);
    await expect(store.transaction((tx) => tx.query("SELECT 1 AS a", []))).resolves.toEqual([{ a: 1 }]);
  });

  it("keeps transactions of many callers apart", async () => {
    const { store } = opened();
    await store.query("CREATE TABLE understudy.probe (n int)");
    const add = (n: number) =>
      store.transaction(async (tx) => {
        await tx.query("INSERT INTO understudy.probe VALUES ($1)", [n]);
        if (n % 2) throw new RangeError("odd");
        await tx.query("INSERT INTO understudy.probe VALUES ($1)", [n]);
      });
    await Promise.allSettled(Array.from({ length: 30 }, (_, n) => add(n)));
    const [row] = await store.query("SELECT count(*)::int AS rows, sum(n % 2)::int AS odd FROM understudy.probe", []);
    expect(row).toEqual({ rows: 30, odd: 0 });
    await store.query("DROP TABLE understudy.probe");
  });

  it("lets the event loop turn while many wait for it", async () => {
    const { store } = opened();
    let [turns, over] = [0, false];
    const turn = () => {
      turns += 1;
      if (!over) setImmediate(turn);
    };
    setImmediate(turn);
    await Promise.all(Array.from({ length: 50 }, () => store.transaction((tx) => tx.query("SELECT 1", []))));
    over = true;
    expect(turns).toBeGreaterThan(kind === "embedded" ? 25 : 10); // a server is asked over ten connections at once, three statements each
  });

  it("tells a listener what was committed, and nothing that was rolled back", async () => {
    const { store } = opened();
    const heard: string[] = [];
    const { promise: second, resolve } = Promise.withResolvers<void>();
    await using _listening = await store.listen("understudy_probe", (payload) => {
      heard.push(payload);
      if (payload === "two") resolve();
    });
    const tell = (payload: string, fail = false) =>
      store.transaction(async (tx) => {
        await tx.query("SELECT pg_notify('understudy_probe', $1)", [payload]);
        if (fail) throw new RangeError("no");
      });
    await tell("one");
    await tell("never", true).catch(() => {});
    await tell("two");
    await second;
    expect(heard).toEqual(["one", "two"]);
  });

  it("stops telling a listener that has left, and goes on telling the others", async () => {
    const { store } = opened();
    const heard: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const left = await store.listen("understudy_probe", () => heard.push("left"));
    await using _stays = await store.listen("understudy_probe", () => resolve());
    await left[Symbol.asyncDispose]();
    await store.query("SELECT pg_notify('understudy_probe', 'x')", []);
    await promise;
    expect(heard).toEqual([]);
  });

  it("is healthy", async () => {
    await expect(opened().store.healthy()).resolves.toBe(true);
  });

  it("refuses tables of a newer version", async () => {
    const { store } = opened();
    const { migrate } = await import("../../pool/store/schema.ts");
    await migrate(store); // again, without effect
    const [{ version } = { version: 0 }] = await store.query<{ version: number }>("SELECT version FROM understudy.version", []);
    await store.query("UPDATE understudy.version SET version = 1000");
    await expect(migrate(store)).rejects.toMatchObject({ code: "CONFLICT", message: expect.stringContaining("update the node") });
    await store.query(`UPDATE understudy.version SET version = ${version}`);
  });
});

describe("opening a store", () => {
  it("takes an empty folder, keeps what was written, and refuses a second opening", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "us-store-"));
    try {
      const options = { dataDir, databaseUrl: null, log: quiet };
      {
        await using store = await openStore(options);
        await store.query("CREATE TABLE understudy.probe AS SELECT 42 AS n");
        await expect(openStore(options)).rejects.toMatchObject({ code: "CONFLICT" });
      }
      await using again = await openStore(options);
      expect(await again.query("SELECT n FROM understudy.probe", [])).toEqual([{ n: 42 }]);
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });
});

describe("the embedded store", () => {
  it("keeps nothing of what it has answered", async () => {
    await using opened = await openTestStore("embedded");
    const held: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      for (let i = 0; i < 500; i += 1) await opened.store.query("SELECT repeat('x', 10000) AS text, $1::int AS n", [i]);
      held.push(usedBytes());
    }
    const growth = held.slice(1).map((bytes, i) => bytes - (held[i] as number));
    expect(Math.min(...growth)).toBeLessThan(2e6); // what other files of this worker do is in it too; kept, the answers would be 5 MB more each time
  });

  it("is spoken to in clear, whatever the environment says of servers", async () => {
    process.env.PGSSLMODE = "require";
    try {
      await using opened = await openTestStore("embedded");
      expect(await opened.store.healthy()).toBe(true);
    } finally {
      delete process.env.PGSSLMODE;
    }
  });

  it("refuses what comes after its end, or after that of a transaction", async () => {
    const opened = await openTestStore("embedded");
    let late: Sql | null = null;
    await opened.store.transaction(async (tx) => {
      late = tx;
    });
    await expect((late as Sql | null)?.query("SELECT 1", [])).rejects.toThrow("The transaction is over");
    await opened[Symbol.asyncDispose]();
    await expect(opened.store.query("SELECT 1", [])).rejects.toThrow("The store is closed");
    await expect(opened.store.transaction((tx) => tx.query("SELECT 1", []))).rejects.toThrow(/closed|connection/);
  });
});

describe("a store on a server", () => {
  it.skipIf(postgresMissing !== null)("lets several nodes make its tables at the same moment", async () => {
    const databaseUrl = await (await sharedPostgres()).createDatabase();
    const nodes = await Promise.all([1, 2, 3].map(() => openTestStore("server", { databaseUrl })));
    for (const node of nodes) await node[Symbol.asyncDispose]();
  });

  it.skipIf(postgresMissing !== null)(
    "leaves no connection behind that could not listen, and listens to what can be listened to",
    async () => {
      const databaseUrl = await (await sharedPostgres()).createDatabase();
      await using opened = await openTestStore("server", { databaseUrl });
      const { store } = opened;
      await expect(store.listen("not a name", () => {})).rejects.toThrow("syntax");
      const { promise: heard, resolve: onHeard } = Promise.withResolvers<string>();
      await using _listening = await store.listen("understudy_probe", onHeard);
      await store.query("SELECT pg_notify('understudy_probe', 'x')", []);
      expect(await heard).toBe("x");
      const listeners = () =>
        store.query("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'understudy-listen'", []);
      await eventually(listeners).toHaveLength(1);
    },
  );

  it("says in a sentence, without the URL, that nobody answers at DATABASE_URL, and what the server has against it", async () => {
    await using dir = await mkdtempDisposable(join(tmpdir(), "us-connect-"));
    const refusal = (databaseUrl: string) => openStore({ dataDir: dir.path, databaseUrl, log: quiet }).catch((error: unknown) => error);
    expect(await refusal("postgres://me:hunter2@127.0.0.1:1/x")).toMatchObject({
      code: "SETUP_FAILED", // it may be there at the next start
      message: "Cannot reach Postgres (ECONNREFUSED): see that it runs, and that DATABASE_URL leads to it",
    });
    if (postgresMissing !== null) return;
    const url = new URL(await (await sharedPostgres()).createDatabase());
    url.pathname = "/nowhere";
    expect(await refusal(url.href)).toMatchObject({
      code: "VALIDATION_FAILED",
      message: 'Cannot use Postgres (database "nowhere" does not exist): set DATABASE_URL to a database that lets this node in',
    });
  });
});
