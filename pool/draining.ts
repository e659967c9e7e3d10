/** Taking a node out of the pool and back in: no more runs, those in hand over within a grace, and `drained` once nothing of them waits here. */
import { pause, withDeadline } from "../shared/deadline.ts";
import type { NodeInfo } from "../shared/node.ts";
import type { Worker } from "./queue/worker.ts";
import type { LiveRuns } from "./session/live-runs.ts";
import type { Outbox } from "./session/outbox.ts";
import { nodeDrained, nodeShutDown } from "./session/outcome.ts";
import type { Log } from "./telemetry/log.ts";

const TELL_LIMIT_MS = 3_000;

type Parts = {
  worker: Pick<Worker, "state" | "drain" | "resume" | "idle">;
  live: Pick<LiveRuns, "all" | "stopAll" | "settled">;
  outbox: Pick<Outbox, "isEmpty" | "emptied">;
  /** Tells the pool of the new state. */
  tell: () => Promise<void>;
  log: Log;
};

export interface Draining {
  /** `drained`: what every run has left is stored, and the node may be ended. */
  readonly state: NodeInfo["state"];
  /** `graceS`: seconds after which what is still in hand is ended, unless this is undone before; null: never. Undoes an earlier drain's grace. */
  drain(graceS: number | null): Promise<void>;
  resume(): Promise<void>;
  /** For good. Resolves when the runs in hand are over, ended once the grace is, and stored, or left to the next start where the grace does not do. */
  shutDown(graceMs: number): Promise<void>;
}

export function createDraining({ worker, live, outbox, tell, log }: Parts): Draining {
  let graceOver: NodeJS.Timeout | undefined;
  /** Counts drains and resumes: one that was overtaken while it waited sets no timer. */
  let turn = 0;
  const begin = (): number => {
    clearTimeout(graceOver);
    turn += 1;
    return turn;
  };
  /** The node does it all the same; the next heartbeat tells. */
  const told = () =>
    withDeadline(TELL_LIMIT_MS, tell).catch((error: unknown) => log.warn("Cannot tell the pool of this node's new state yet", { error }));

  return {
    get state() {
      if (worker.state !== "drained") return worker.state;
      return live.all().length === 0 && outbox.isEmpty ? "drained" : "draining";
    },
    async drain(graceS) {
      const mine = begin();
      await worker.drain();
      if (graceS !== null && mine === turn) graceOver = setTimeout(() => live.stopAll(nodeDrained(graceS)), graceS * 1000).unref();
      await told();
    },
    async resume() {
      begin();
      worker.resume();
      await told();
    },
    async shutDown(graceMs) {
      begin();
      await worker.drain();
      await told();
      const done = new AbortController();
      const over = pause(graceMs, done.signal).catch(() => {}); // done: nobody waits any more
      await Promise.race([worker.idle(), over]);
      live.stopAll(nodeShutDown());
      await worker.idle();
      await live.settled();
      await Promise.race([outbox.emptied(), over]);
      done.abort();
      if (!outbox.isEmpty) log.warn("What could not be stored yet waits in the outbox for this node's next start");
    },
  };
}
