/** The three example playbooks, by directive and by id, on the dashboard they were written for. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DEMO_USER } from "../fixtures/dashboard/dashboard.ts";
import { openTestSystem, type TestSystem } from "../support/system.ts";

let system: TestSystem;
beforeAll(async () => {
  system = await openTestSystem();
});
beforeEach(() => system.dashboard.state.reset());
afterAll(() => system?.[Symbol.asyncDispose]());

const example = (name: string) => readFile(join(import.meta.dirname, `../../examples/${name}.yaml`), "utf8");
async function run(name: string, params: Record<string, string> = {}, credentials: Record<string, string> = DEMO_USER) {
  const { writer } = system.as;
  const { run_id } = await writer.create({
    playbook: await example(name),
    params: { dashboard: system.dashboard.url, ...params },
    credentials,
  });
  return (await writer.finished(run_id)).run;
}

describe("example playbooks", () => {
  it("cancels an order, and only that one", async () => {
    const { status, error, result } = await run("cancel-order", { order_id: "12345", reason: "Other" });
    expect({ status, error, result }).toEqual({ status: "completed", error: null, result: "Cancelled" });
    const orders = [...system.dashboard.state.orders.values()];
    expect(orders.filter((order) => order.status === "Cancelled")).toMatchObject([{ id: "12345", cancelReason: "Other" }]);
  });

  it("says in the author's words why an order cannot be cancelled", async () => {
    const { status, error, step_results } = await run("cancel-order", { order_id: "12301" });
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code: "STEP_FAILED", message: expect.stringContaining("Order 12301 can no longer be cancelled") });
    expect(step_results.at(-1)).toMatchObject({ index: 3, success: false, raw_error: expect.stringMatching(/disabled/i) });
    expect(system.dashboard.state.orders.get("12301")?.status).toBe("Delivered");
  });

  it("stops at a wrong password, which stands nowhere in the run", async () => {
    const wrong = "a-password-of-nobody";
    const failed = await run("cancel-order", { order_id: "12345" }, { ...DEMO_USER, password: wrong });
    expect(failed.error).toMatchObject({ code: "STEP_FAILED", message: expect.stringContaining("did not accept the credentials") });
    expect(JSON.stringify(failed)).not.toContain(wrong);
    expect(system.dashboard.state.orders.get("12345")?.status).toBe("Processing");
  });

  it("lists the orders in one status as a table", async () => {
    const { status, error, extracted_texts } = await run("list-orders", { status: "On hold" });
    expect({ status, error }).toEqual({ status: "completed", error: null });
    const onHold = [...system.dashboard.state.orders.values()].filter((order) => order.status === "On hold");
    expect(extracted_texts[0]).toBe(`${onHold.length} orders`);
    expect(extracted_texts[1]).toContain(`#${onHold[0]?.id}`);
    expect(extracted_texts[1]).not.toContain("Delivered");
  });

  it("reads a report that opens in a window of its own", async () => {
    const { status, error, result } = await run("monthly-report");
    expect({ status, error }).toEqual({ status: "completed", error: null });
    const rows = JSON.parse(result ?? "[]") as { status: string; orders: number }[];
    expect(rows.reduce((sum, { orders }) => sum + orders, 0)).toBe(60);
  });
});
