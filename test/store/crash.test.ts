import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readEvents } from "../../pool/store/events.ts";
import { openTestStore } from "../support/store.ts";

type Fact = { run_id: string; event: number; status?: string };
const WRITER = fileURLToPath(new URL("../support/crash-writer.ts", import.meta.url));

/** Lets another process write to this folder until it has acknowledged so much, then kills it in the middle of its work. */
async function writeAndDie(dataDir: string, facts: number): Promise<Fact[]> {
  const child = spawn(process.execPath, [WRITER, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const gone = once(child, "exit");
  const acknowledged: Fact[] = [];
  for await (const line of createInterface(child.stdout)) {
    if (line !== '"ready"') acknowledged.push(JSON.parse(line));
    if (acknowledged.length === facts) child.kill("SIGKILL");
  }
  await gone;
  expect(acknowledged.length).toBeGreaterThanOrEqual(facts); // else it died of something else
  return acknowledged;
}

describe("a node that is killed while it writes (embedded)", () => {
  it("has lost nothing that was acknowledged, and nothing is half there", async () => {
    let dataDir: string;
    const acknowledged: Fact[] = [];
    await using kept = new AsyncDisposableStack();
    {
      const first = await openTestStore("embedded", { keepDataDir: kept });
      dataDir = first.dataDir;
      await first[Symbol.asyncDispose]();
    }
    for (const facts of [40, 190]) acknowledged.push(...(await writeAndDie(dataDir, facts)));

    await using opened = await openTestStore("embedded", { dataDir });
    for (const { run_id, event, status } of acknowledged) {
      const events = await readEvents(opened.store, run_id, event - 1, 1);
      expect(events, `event ${event} of ${run_id}`).toHaveLength(1);
      if (status) expect(events[0]?.event).toMatchObject({ type: "complete", status });
    }
    const torn = await opened.store.query(
      `SELECT r.run_id FROM understudy.runs r FULL JOIN understudy_queue.job_common j ON j.id = r.run_id
       WHERE r.run_id IS NULL OR j.id IS NULL
          OR (r.status = 'queued') <> (j.state = 'created') OR (r.status = 'starting') <> (j.state = 'active')
          OR r.last_event_id <> (SELECT count(*) FROM understudy.events e WHERE e.run_id = r.run_id)
          OR r.last_event_id <> (SELECT max(id) FROM understudy.events e WHERE e.run_id = r.run_id)`,
      [],
    );
    expect(torn).toEqual([]);
  });
});
