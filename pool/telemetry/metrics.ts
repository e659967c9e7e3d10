/** What a node counts, for Prometheus. A registry of its own, so that two nodes in one process do not add up. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ErrorCode } from "../../shared/errors.ts";
import type { VerdictKindSchema } from "../../shared/guardrails.ts";
import type { TerminalStatus } from "../../shared/run-status.ts";

/** Read at each scrape. null: store or file system did not say. */
export type Levels = {
  slots: { total: number; busy: number };
  queue: { queued: number; oldestS: number } | null;
  browsers: { warm: number; busy: number };
  /** Shared Chromes that take no more runs and are not over yet. */
  retiredChromes: number;
  /** Bytes, by state. */
  browserMemory: Record<string, number>;
  /** Bytes left, by place. */
  diskFree: Record<string, number | null>;
};

export type Metrics = {
  /** A run has reached its terminal status; with the code of its error, if it has one. */
  runEnded(status: TerminalStatus, code?: ErrorCode | null): void;
  /** From the run's acceptance to `running`. */
  runStarted(seconds: number): void;
  actionDone(action: string, success: boolean): void;
  verdict(verdict: { rule: string; kind: (typeof VerdictKindSchema)["options"][number] }): void;
  /** The exposition text, and the Content-Type that goes with it. */
  text(): Promise<string>;
  readonly contentType: string;
};

/** Where runs start on a warm browser, on a fresh one, and after waiting in the queue. */
const START_SECONDS = [0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600];

/** Labels take only names from tables of ours: never a host, a URL or an id. */
export function createMetrics(nodeId: string, levels: () => Promise<Levels>): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ node_id: nodeId });
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const runs = new Counter({
    name: "understudy_runs_total",
    help: "Runs ended, by status and the code of their error",
    labelNames: ["status", "code"],
    registers,
  });
  runs.inc({ status: "completed", code: "" }, 0); // what has never happened shall be a zero, not a gap
  runs.inc({ status: "failed", code: "STEP_FAILED" }, 0);
  runs.inc({ status: "timeout", code: "TIMEOUT" }, 0);
  runs.inc({ status: "terminated", code: "RUN_TERMINATED" }, 0);
  const start = new Histogram({
    name: "understudy_run_start_seconds",
    help: "From a run's acceptance to its status running",
    buckets: START_SECONDS,
    registers,
  });
  const actions = new Counter({
    name: "understudy_actions_total",
    help: "Actions done to pages, by name and outcome",
    labelNames: ["action", "outcome"],
    registers,
  });
  const verdicts = new Counter({
    name: "understudy_guardrail_verdicts_total",
    help: "What guardrails said of actions and requests, by rule and kind",
    labelNames: ["rule", "kind"],
    registers,
  });
  const slots = new Gauge({ name: "understudy_slots", help: "Room for runs, in all", registers });
  const busySlots = new Gauge({ name: "understudy_slots_busy", help: "Slots that hold a run", registers });
  const queue = new Gauge({ name: "understudy_queue_depth", help: "Runs waiting in the store, for any node", registers });
  const oldest = new Gauge({ name: "understudy_queue_oldest_seconds", help: "How long the oldest of them has waited", registers });
  const stalled = new Gauge({
    name: "understudy_queue_stalled_seconds",
    help: "The same while this node has a free slot, else 0: more than a few seconds means that a node drains, keys are at their limits, or something is wrong",
    registers,
  });
  const memory = new Gauge({
    name: "understudy_browser_memory_bytes",
    help: "Memory of own Chromes (proportional set size), by state",
    labelNames: ["state"],
    registers,
  });
  const disk = new Gauge({ name: "understudy_disk_free_bytes", help: "Room left on disks", labelNames: ["place"], registers });
  const browsers = new Gauge({
    name: "understudy_browsers",
    help: "Chrome processes, or contexts of shared ones, by state",
    labelNames: ["state"],
    registers,
  });
  const retired = new Gauge({
    name: "understudy_browsers_retired",
    help: "Chromes that runs share which were replaced and wait for the last of their runs",
    registers,
  });

  return {
    runEnded: (status, code) => runs.inc({ status, code: code ?? "" }),
    runStarted: (seconds) => start.observe(seconds),
    actionDone: (action, success) => actions.inc({ action, outcome: success ? "success" : "failure" }),
    verdict: ({ rule, kind }) => verdicts.inc({ rule, kind }),
    contentType: registry.contentType,
    async text() {
      const now = await levels();
      slots.set(now.slots.total);
      busySlots.set(now.slots.busy);
      queue.set(now.queue?.queued ?? Number.NaN);
      oldest.set(now.queue?.oldestS ?? Number.NaN);
      stalled.set(now.slots.busy < now.slots.total ? (now.queue?.oldestS ?? Number.NaN) : 0);
      for (const [state, bytes] of Object.entries(now.browserMemory)) memory.set({ state }, bytes);
      for (const [place, bytes] of Object.entries(now.diskFree)) disk.set({ place }, bytes ?? Number.NaN);
      browsers.set({ state: "warm" }, now.browsers.warm);
      browsers.set({ state: "busy" }, now.browsers.busy);
      retired.set(now.retiredChromes);
      return registry.metrics();
    },
  };
}
