/** Runs one playbook against a deploy of the dashboard that has changed: with its own selectors, repaired by a model, and healed. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Proposal } from "../../shared/proposal.ts";
import { openDashboard } from "../fixtures/dashboard/dashboard.ts";
import { deployed } from "../fixtures/dashboard/drift.ts";
import type { TestSystem } from "./system.ts";

/** As in examples/cancel-order.yaml, from the order's page on. */
const playbook = (id: string, url: string, onFailure: string) => `id: ${id}
guardrails: { allow_private_networks: true }
start_url: ${url}/orders/12345
steps:
  - description: Ask to cancel the order
    action: click
    selector:
      primary: role=button[name='Cancel order']
      fallbacks: ["#cancel-order"]
    timeout_ms: 1500
    on_failure: ${onFailure}
    verify:
      expect_element_visible: "#cancel-dialog"
      timeout_ms: 8000
  - description: Confirm
    action: click
    selector: "#confirm-cancel"
    verify: { expect_text_on_page: Order 12345 was cancelled, timeout_ms: 8000 }
    once: true
    on_failure: abort
`;

/** `unaided`: by the deterministic means alone, null where that was not tried. `healed`: once the proposal is accepted, or as it was. */
export type DriftResult = {
  unaided: boolean | null;
  repaired: boolean | null;
  healed: boolean;
  modelCalls: { repaired: number; healed: number };
  wrongClicks: string[];
};

/** The system's model has to be `driftScript`. */
export async function runDrift(system: TestSystem, name: string, { unaided = true } = {}): Promise<DriftResult> {
  const clicks: { hit: string; meant: boolean }[] = [];
  await using dashboard = await openDashboard({
    slowMs: 10,
    open: true,
    script: deployed(name),
    onClick: (click) => void clicks.push(click),
  });
  const run = async (id: string) => {
    dashboard.state.reset();
    const { run_id } = await system.as.admin.create({ playbook: id, recording: { enabled: false } });
    const { run: ended, events } = await system.as.admin.finished(run_id);
    const isCancelled = dashboard.state.orders.get("12345")?.status === "Cancelled";
    return { ok: ended.status === "completed" && isCancelled, calls: events.filter(({ event }) => event.type === "usage").length };
  };
  const install = (id: string, onFailure: string) =>
    writeFile(join(system.dataDir, "playbooks", `${id}.yaml`), playbook(id, dashboard.url, onFailure));

  await install(`${name}-unaided`, "retry");
  await install(name, "llm_recover");
  const alone = unaided ? await run(`${name}-unaided`) : null;
  const repaired = alone?.ok ? null : await run(name);
  const at = `/playbooks/${name}/proposals`;
  const { proposals } = await system.as.admin.json<{ proposals: Proposal[] }>(at);
  for (const { proposal_id } of proposals) await system.as.admin.json(`${at}/${proposal_id}/accept`, { method: "POST" });
  const healed = await run(name);
  return {
    unaided: alone?.ok ?? null,
    repaired: repaired?.ok ?? null,
    healed: healed.ok,
    modelCalls: { repaired: repaired?.calls ?? 0, healed: healed.calls },
    wrongClicks: clicks.filter(({ meant }) => !meant).map(({ hit }) => hit),
  };
}
