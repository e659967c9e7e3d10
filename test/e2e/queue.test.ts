/** Many runs on few slots. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openLogin } from "../support/playbooks.ts";
import { openTestSystem, type TestSystem } from "../support/system.ts";

let system: TestSystem;
beforeAll(async () => {
  system = await openTestSystem();
});
afterAll(() => system?.[Symbol.asyncDispose]());

it("ends 20 runs that are posted at once on 2 slots: each once, its log its own", { timeout: 120_000 }, async () => {
  const { writer } = system.as;
  const created = await Promise.all(
    Array.from({ length: 20 }, (_, i) => writer.create({ ...openLogin(`${system.dashboard.url}`), labels: { n: String(i) } })),
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
  const { runs } = await writer.json<{ runs: { run_id: string }[] }>("/runs?label=n=7");
  expect(runs.map(({ run_id }) => run_id)).toEqual([created[7]?.run_id]);
});
