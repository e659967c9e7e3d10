import { describe, expect, it } from "vitest";
import { createMetrics, type Levels } from "../../pool/telemetry/metrics.ts";

const LEVELS: Levels = {
  slots: { total: 4, busy: 1 },
  queue: { queued: 7, oldestS: 3.5 },
  browsers: { warm: 2, busy: 1 },
  retiredChromes: 1,
  browserMemory: { warm: 400, busy: 300 },
  diskFree: { data: 1000, volume: null },
};
const open = (levels: Partial<Levels> = {}) => createMetrics("node-1", async () => ({ ...LEVELS, ...levels }));

/** The value of one sample, its labels in any order. */
async function sample(
  metrics: ReturnType<typeof createMetrics>,
  name: string,
  labels: Record<string, string> = {},
): Promise<string | undefined> {
  const lines = (await metrics.text()).split("\n").filter((line) => line.startsWith(`${name}{`));
  return lines
    .find((line) => Object.entries({ node_id: "node-1", ...labels }).every(([key, value]) => line.includes(`${key}="${value}"`)))
    ?.split(" ")
    .at(-1);
}

describe("a node's metrics", () => {
  it("count runs by how they ended, and know every way from the start", async () => {
    const metrics = open();
    metrics.runEnded("completed");
    metrics.runEnded("completed");
    metrics.runEnded("failed", "STEP_FAILED");
    expect(await sample(metrics, "understudy_runs_total", { status: "completed" })).toBe("2");
    expect(await sample(metrics, "understudy_runs_total", { status: "failed", code: "STEP_FAILED" })).toBe("1");
    expect(await sample(metrics, "understudy_runs_total", { status: "timeout" })).toBe("0");
  });

  it("count actions and verdicts by name", async () => {
    const metrics = open();
    metrics.actionDone("click", true);
    metrics.actionDone("click", false);
    metrics.verdict({ rule: "private_network", kind: "block" });
    expect(await sample(metrics, "understudy_actions_total", { action: "click", outcome: "success" })).toBe("1");
    expect(await sample(metrics, "understudy_actions_total", { action: "click", outcome: "failure" })).toBe("1");
    expect(await sample(metrics, "understudy_guardrail_verdicts_total", { rule: "private_network", kind: "block" })).toBe("1");
  });

  it("read slots, queue and browsers at the scrape", async () => {
    const metrics = open();
    expect(await sample(metrics, "understudy_slots")).toBe("4");
    expect(await sample(metrics, "understudy_slots_busy")).toBe("1");
    expect(await sample(metrics, "understudy_queue_depth")).toBe("7");
    expect(await sample(metrics, "understudy_queue_oldest_seconds")).toBe("3.5");
    expect(await sample(metrics, "understudy_queue_stalled_seconds")).toBe("3.5");
    expect(await sample(open({ slots: { total: 4, busy: 4 } }), "understudy_queue_stalled_seconds")).toBe("0");
    expect(await sample(metrics, "understudy_browser_memory_bytes", { state: "warm" })).toBe("400");
    expect(await sample(metrics, "understudy_disk_free_bytes", { place: "data" })).toBe("1000");
    expect(await sample(metrics, "understudy_disk_free_bytes", { place: "volume" })).toBe("Nan");
    expect(await sample(metrics, "understudy_browsers", { state: "warm" })).toBe("2");
    expect(await sample(metrics, "understudy_browsers_retired")).toBe("1");
  });

  it("say nothing of a queue they do not know, and all the rest", async () => {
    const metrics = open({ queue: null });
    expect(await sample(metrics, "understudy_queue_depth")).toBe("Nan");
    expect(await sample(metrics, "understudy_slots")).toBe("4");
  });

  it("spread the time to a start over buckets fine enough for a warm one", async () => {
    const metrics = open();
    metrics.runStarted(0.04);
    metrics.runStarted(20);
    expect(await sample(metrics, "understudy_run_start_seconds_bucket", { le: "0.05" })).toBe("1");
    expect(await sample(metrics, "understudy_run_start_seconds_bucket", { le: "30" })).toBe("2");
    expect(await sample(metrics, "understudy_run_start_seconds_count")).toBe("2");
  });

  it("belong to one node: another's do not add to them", async () => {
    const [one, other] = [open(), createMetrics("node-2", async () => LEVELS)];
    other.runEnded("completed");
    expect(await sample(one, "understudy_runs_total", { status: "completed" })).toBe("0");
    expect(one.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await one.text()).toContain("process_resident_memory_bytes");
  });
});
