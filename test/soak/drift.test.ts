/** Twelve deploys that have changed the same button: what heals by the chain of selectors alone, and what with a model. The table of docs/agent.md. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { DEPLOYS } from "../fixtures/dashboard/drift.ts";
import { runDrift } from "../support/drift.ts";
import { driftScript } from "../support/drift-script.ts";
import { type LlmServer, openLlmServer } from "../support/llm-server.ts";
import { openTestSystem, type TestSystem } from "../support/system.ts";

let system: TestSystem;
let model: LlmServer;
beforeAll(async () => {
  model = await openLlmServer(driftScript);
  system = await openTestSystem({
    env: { POOL_PRIVATE_NETWORKS: "127.0.0.1/32", LLM_MODEL: "openai-compatible:scripted", LLM_BASE_URL: model.url },
  });
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  await model?.[Symbol.asyncDispose]();
});

/** Deploys after which the playbook's own selectors do not find the button. */
const NEED_A_MODEL = ["other-tag", "in-menu", "new-tab", "translated"];
const rows: string[] = [];
afterAll(() => process.stderr.write(`\n| change | alone | with a model | healed |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`));

it.each(Object.entries(DEPLOYS))("%s", async (name, { change }) => {
  const { unaided, repaired, healed, modelCalls, wrongClicks } = await runDrift(system, name);
  const alone = unaided ? "yes" : "no";
  rows.push(
    `| ${change} | ${alone} | ${repaired === null ? "not asked" : `${repaired ? "yes" : "no"}, ${modelCalls.repaired} calls`} | ${healed ? "yes" : "no"}, ${modelCalls.healed} calls |`,
  );
  expect({ unaided, repaired, healed, calls: modelCalls.healed, wrongClicks }).toEqual({
    unaided: !NEED_A_MODEL.includes(name),
    repaired: NEED_A_MODEL.includes(name) ? true : null,
    healed: true,
    calls: 0,
    wrongClicks: [],
  });
});
