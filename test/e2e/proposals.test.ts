/** What becomes of repairs, end to end: proposals, versions, the ledger, and deploys that change the page. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PlaybookHealth, PlaybookVersion, Proposal } from "../../shared/proposal.ts";
import { runDrift } from "../support/drift.ts";
import { driftScript } from "../support/drift-script.ts";
import { call, inTurn } from "../support/llm-server.ts";
import { openScriptedSystem, type ScriptedSystem } from "../support/scripted-system.ts";

let opened: ScriptedSystem;
let { system, model, run } = {} as ScriptedSystem;
beforeAll(async () => {
  opened = await openScriptedSystem({ env: { POOL_PROMOTE_AFTER: "1", POOL_ISOLATION: "context" } });
  ({ system, model, run } = opened);
});
afterAll(() => opened?.[Symbol.asyncDispose]());
beforeEach(() => {
  model.requests.length = 0;
});
afterEach(({ task }) => {
  if (task.result?.state === "fail") process.stderr.write(system.node.output().slice(-6000));
});

const install = (id: string, yaml: string) => writeFile(join(system.dataDir, "playbooks", `${id}.yaml`), yaml);
const proposalsOf = async (id: string) => (await system.as.admin.json<{ proposals: Proposal[] }>(`/playbooks/${id}/proposals`)).proposals;
const post = <T>(path: string) => system.as.admin.json<T>(path, { method: "POST" });

const SIGN_IN = (id: string, button: string) => `# Tries to sign in
id: ${id}
guardrails: { allow_private_networks: true }
steps:
  - action: goto
    params: { url: "${system.dashboard.url}/login" }
  - action: key_press
    selector: "#username" # who
    params: { text: demo }
  - action: key_press
    selector: { primary: "#pass", fallbacks: ["#password"] }
    params: { text: wrong }
  - description: Sign in
    action: click
    selector: "${button}" # as it was in May
    timeout_ms: 1200
    verify: { expect_text_on_page: "Wrong username or password" }
`;

describe("a repair that worked", () => {
  it("is proposed as a change of the YAML; accepted, the next run asks no model; rolled back, the file runs again", async () => {
    await install("sign-in", SIGN_IN("sign-in", "#log-in"));
    model.script = inTurn(call("click", { selector: "#sign-in" }), call("done", { summary: "Done" }));
    const { run: repaired } = await run({ playbook: "sign-in" });
    expect(repaired).toMatchObject({ status: "completed", warnings: [] });
    expect(repaired.step_results[3]).toMatchObject({ recovery_used: true });
    const [proposal, ...others] = (await proposalsOf("sign-in")) as [Proposal, ...Proposal[]];
    expect(others).toEqual([]);
    expect(proposal).toMatchObject({
      status: "open",
      applies: true,
      step: 3,
      description: "Sign in",
      run_id: repaired.run_id,
      times_seen: 1,
    });
    expect(proposal.diff.split("\n").filter((line) => /^[-+](?![-+])/.test(line))).toEqual([
      '-    selector: "#log-in" # as it was in May',
      "+    selector:",
      `+      primary: '[data-testid="sign-in"]'`,
      "+      fallbacks:",
      '+        - "#sign-in"',
      '+        - role=button[name="Sign in"]',
      '+        - text="Sign in"',
      '+        - "#login-form > button"',
      '+        - "#log-in" # as it was in May',
    ]);
    for (const path of [proposal.pictures.before, proposal.pictures.after]) {
      const picture = await system.as.admin.call(path as string);
      expect(picture.headers.get("content-type")).toBe("image/jpeg");
      await picture.arrayBuffer();
    }
    expect(proposal.pictures.before).not.toBe(proposal.pictures.after);

    const at = `/playbooks/sign-in/proposals/${proposal.proposal_id}`;
    expect((await system.as.writer.call(`${at}/accept`, { method: "POST" })).status).toBe(403);
    const accepted = await post<Proposal>(`${at}/accept`);
    expect(accepted).toMatchObject({ status: "accepted", decided_by: "request", version: 2, applies: false });
    expect(await post<Proposal>(`${at}/accept`)).toEqual(accepted);
    expect((await system.as.admin.call(`${at}/reject`, { method: "POST" })).status).toBe(409);
    model.requests.length = 0;
    const { run: healed } = await run({ playbook: "sign-in" });
    expect(healed).toMatchObject({ status: "completed", usage: { input_tokens: 0 } });
    expect(healed.step_results[3]).toMatchObject({ attempts: 1, recovery_used: false });
    expect(model.requests).toEqual([]);

    const health = await system.as.reader.json<PlaybookHealth>("/playbooks/sign-in/health");
    expect(health.steps.map(({ runs, hit_rate, passed, repaired: mended }) => [runs, hit_rate, passed, mended])).toEqual([
      [2, 1, 2, 0],
      [2, 1, 2, 0],
      [2, 0, 2, 0],
      [1, 1, 1, 0], // as it is written now
    ]);
    expect(health.steps[2]?.fallbacks).toMatchObject([{ fallback: 1, wins: 2 }]);
    expect(health.steps[3]?.p95_ms).toBeGreaterThan(0);
    expect(health.steps[3]?.last_verified_at).not.toBeNull();

    expect((await system.as.reader.call("/playbooks/sign-in/versions")).status).toBe(403);
    const { versions } = await post<{ versions: PlaybookVersion[] }>("/playbooks/sign-in/rollback");
    expect(versions.map(({ version, origin, runs_now }) => [version, origin, runs_now])).toEqual([
      [2, "proposal", false],
      [1, "file", true],
    ]);
    expect(versions[1]?.yaml).toBe(SIGN_IN("sign-in", "#log-in"));
    expect((await system.as.admin.call("/playbooks/sign-in/rollback", { method: "POST" })).status).toBe(409);
    expect(await proposalsOf("sign-in")).toMatchObject([{ status: "rejected", applies: true }]);
    const back = await system.as.reader.json<PlaybookHealth>("/playbooks/sign-in/health");
    expect(back.steps[3]).toMatchObject({ runs: 1, repaired: 1, hit_rate: 0 });
  });

  it("proves itself where the operator wants that: it is tried before a model is asked, and then runs", async () => {
    await install("trial", SIGN_IN("trial", "#log-in"));
    model.script = inTurn(call("click", { selector: "#sign-in" }), call("done", { summary: "Done" }));
    await run({ playbook: "trial" });
    model.requests.length = 0;
    const { run: tried } = await run({ playbook: "trial" });
    expect(model.requests).toEqual([]);
    expect(tried.step_results[3]).toMatchObject({ success: true, recovery_used: true, usage: null });
    expect(tried.actions.at(-1)).toMatchObject({ tool: "trial", success: true, step: 3 });
    expect(await proposalsOf("trial")).toMatchObject([{ status: "accepted", decided_by: "promotion", clean_runs: 1, version: 2 }]);
  });
});

/** The others, and what heals which: test/soak/drift.test.ts. */
describe("a page that a deploy has changed", () => {
  it("is healed by one repair; nothing else is ever clicked, and the healed playbook asks no model", async () => {
    model.script = driftScript;
    const menu = await runDrift(system, "in-menu", { unaided: false });
    expect(menu).toMatchObject({ repaired: true, healed: true, modelCalls: { healed: 0 }, wrongClicks: [] });
    expect(menu.modelCalls.repaired).toBeGreaterThan(0);
  });
});
