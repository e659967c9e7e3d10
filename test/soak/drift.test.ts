/** Twelve deploys that have changed the same button: what heals by the chain of selectors alone, and what with a model. The table of docs/agent.md. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { DEPLOYS } from "../fixtures/dashboard/drift.ts";
import { runDrift } from "../support/drift.ts";
import { driftScript } from "../support/drift-script.ts";
import { openScriptedSystem, type ScriptedSystem } from "../support/scripted-system.ts";

let opened: ScriptedSystem;
beforeAll(async () => {
  opened = await openScriptedSystem({ script: driftScript });
});
afterAll(() => opened?.[Symbol.asyncDispose]());

/** Deploys after which the playbook's own selectors do not find the button. */
const NEED_A_MODEL = ["other-tag", "in-menu", "new-tab", "translated"];
const rows: string[] = [];
afterAll(() => process.stderr.write(`\n| change | alone | with a model | healed |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`));

it.each(Object.entries(DEPLOYS))("%s", async (name, { change }) => {
  const { unaided, repaired, healed, modelCalls, wrongClicks } = await runDrift(opened.system, name);
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
