/** A pool node without Chrome. What a node does to its store is done by the node's own modules, at their own pace; only the pages are missing. */
import { setTimeout as sleep } from "node:timers/promises";
import { openLedger } from "../../../pool/drift/ledger.ts";
import { openVersions } from "../../../pool/drift/versions.ts";
import { openQueue } from "../../../pool/queue/boss.ts";
import { watchPeers } from "../../../pool/queue/lost.ts";
import { watchQueueClock } from "../../../pool/queue/queue-clock.ts";
import { watchQueued } from "../../../pool/queue/queued.ts";
import { createSlots } from "../../../pool/queue/slots.ts";
import { watchStops } from "../../../pool/queue/stop.ts";
import { Worker } from "../../../pool/queue/worker.ts";
import { createClocks } from "../../../pool/session/clocks.ts";
import { RunEvents } from "../../../pool/session/run-events.ts";
import { RUNS_CHANNEL, watchRuns } from "../../../pool/store/changes.ts";
import { EventWriter } from "../../../pool/store/events.ts";
import { joinNodes } from "../../../pool/store/nodes.ts";
import { type Claim, updateAftermath } from "../../../pool/store/runs.ts";
import type { Store } from "../../../pool/store/sql.ts";
import { startUpkeep } from "../../../pool/store/upkeep.ts";
import type { NodeInfo } from "../../../shared/node.ts";
import { NO_USAGE } from "../../../shared/run-status.ts";
import { CLOCK_LIMITS, quiet } from "../../support/run-fixtures.ts";
import { scriptOf } from "./sim-run.ts";

export type SimNode = AsyncDisposable & { worker: Worker };
export type SimOptions = {
  store: Store;
  slots: number;
  /** How long a run takes; its events are spread over that. */
  workMs: number;
  queueMax?: number;
  /** A run has its slot. */
  onClaimed?: (runId: string) => void;
  /** A run is over and stored. */
  onSettled?: (runId: string) => void;
};

let nodes = 0;

export async function openSimNode({ store, slots: total, workMs, queueMax = 20_000, ...on }: SimOptions): Promise<SimNode> {
  await using opened = new AsyncDisposableStack();
  nodes += 1;
  const owner = { node_id: `node-${String(nodes).padStart(5, "0")}`, boot_id: crypto.randomUUID(), node_url: `http://10.0.0.1:${nodes}` };
  const log = quiet;
  opened.use(await openVersions(store, log));
  const ledger = opened.use(openLedger(store, log));
  const slots = opened.use(createSlots({ total, log }));
  const queue = opened.use(await openQueue({ store, log }));
  const writer = new EventWriter({ store, settle: async (tx, fence) => void (await queue.settle(tx, fence)), log });
  opened.use(await store.listen(RUNS_CHANNEL, () => {}));

  async function run(claim: Claim): Promise<void> {
    const { fence, run: row } = claim;
    on.onClaimed?.(fence.run_id);
    const clocks = createClocks({ limits: row.clock_limits, totalS: row.request.timeout_seconds, queuedS: 0, onFire: () => {} });
    clocks.starting();
    const failed = (error: unknown) => {
      throw error;
    };
    const events = new RunEvents({ store, writer, fence, lastEventId: row.last_event_id, onFailure: failed, log });
    clocks.running();
    events.running(new Date());
    const { told, lists, outcomes } = scriptOf();
    for (const event of told) {
      events.emit(event);
      await sleep(workMs / told.length); // even 0 lets go of the thread: a page is never as fast
    }
    clocks.stop();
    const outcome = { result: "Order 12345 was cancelled", data: { status: "Cancelled" }, error: null, usage: NO_USAGE };
    await events.end("completed", { at: new Date(), outcome, lists, clocks: clocks.read(), recording_state: "finalizing" }, () => {});
    if (row.playbook) for (const each of outcomes) ledger.count(row.playbook, each);
    await updateAftermath(store, fence.run_id, { attempt: fence.attempt, warnings: [], settled: true, recording_state: "ready" });
    await events.close();
    on.onSettled?.(fence.run_id);
  }

  const queued = opened.use(watchQueued(store));
  const worker = opened.use(
    await Worker.open({
      store,
      queue,
      queueMax,
      clockLimits: CLOCK_LIMITS,
      owner,
      slots,
      writer,
      mayWait: () => queued.count > 0,
      log,
      run,
    }),
  );
  opened.use(await watchStops({ store, owner, onStop: () => {}, log }));
  opened.use(startUpkeep({ store, log }));
  opened.use(await watchRuns(store));
  const info = (): NodeInfo => ({
    node_id: owner.node_id,
    boot_id: owner.boot_id,
    url: owner.node_url,
    state: "ready",
    slots: { total, busy: slots.busy },
    queued: queued.count,
    browsers: { warm: total, busy: slots.busy },
    load: 0.5,
    tier: "sandbox",
    version: "0.0.0",
    started_at: new Date().toISOString(),
  });
  const { isOnDuty } = opened.use(await joinNodes({ store, info, onFenced: () => {}, log }));
  opened.use(watchQueueClock({ store, queue, isOnDuty, log }));
  opened.use(watchPeers({ store, queue, owner, isOnDuty, log }));
  const kept = opened.move();
  return { worker, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
