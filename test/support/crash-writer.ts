/** A process that creates runs and appends events as fast as it can, and says on stdout what was acknowledged; it is there to be killed. */
import { writeSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { openQueue } from "../../pool/queue/boss.ts";
import { createRun } from "../../pool/queue/dispatch.ts";
import { openStore } from "../../pool/store/connect.ts";
import { EventWriter } from "../../pool/store/events.ts";
import { startUpkeep } from "../../pool/store/upkeep.ts";
import { claimant, newRun, OUTCOME, quiet } from "./run-fixtures.ts";

const [dataDir = ""] = process.argv.slice(2);
const store = await openStore({ dataDir, databaseUrl: null, log: quiet });
const queue = await openQueue({ store, log: quiet });
const settle = async (...args: Parameters<typeof queue.settle>) => void (await queue.settle(...args));
const writer = new EventWriter({ store, settle, log: quiet });
const deps = { store, queue, queueMax: 1_000_000, clockLimits: { queue: 600, start: 30, idle: 120 } };
startUpkeep({ store, log: quiet, checkpointMs: 20, vacuumMs: 50 });

const acknowledge = (fact: unknown) => writeSync(1, `${JSON.stringify(fact)}\n`); // at once: a buffer would die with us

async function claimAndWrite(): Promise<void> {
  for (;;) {
    const { claim } = await createRun(deps, newRun(), { claimFor: claimant(), idempotency: null });
    if (!claim) continue;
    const { run_id } = claim.fence;
    acknowledge({ run_id, event: 2 });
    const appended = Array.from({ length: 5 }, async (_, n) => {
      const event = {
        type: "guardrail",
        at: new Date().toISOString(),
        rule: "r",
        kind: "hint",
        reason: `${n}`,
        action_seq: null,
        host: null,
      } as const;
      acknowledge({ run_id, event: (await writer.append(claim.fence, event)).id });
    });
    await Promise.all(appended);
    const end = await writer.transition(claim.fence, "failed", OUTCOME);
    acknowledge({ run_id, event: end.at(-1)?.id, status: "failed" });
  }
}
async function enqueue(): Promise<void> {
  for (;;) {
    const { run_id } = await createRun(deps, newRun(), { claimFor: null, idempotency: null });
    acknowledge({ run_id, event: 1 });
    await turn(); // the embedded store answers within one turn of the event loop: the others would never come
  }
}
acknowledge("ready");
await Promise.all([claimAndWrite(), claimAndWrite(), enqueue()]);
