import { expect, it } from "vitest";
import { DEFAULT_GUARDRAILS } from "../../pool/guardrails/defaults.ts";
import { bindPlaybook, bindStep } from "../../pool/playbook/bind.ts";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import { scopeOfRecovery } from "../../pool/session/scope-of.ts";
import type { Stage } from "../../pool/session/stage.ts";
import type { RunRow } from "../../pool/store/runs.ts";

const told: string[] = [];
const stage = (start_url?: string) => {
  const row = { request: { start_url }, guardrails: DEFAULT_GUARDRAILS } as Partial<RunRow> as RunRow;
  return {
    row,
    redactor: { text: (text: string) => text },
    emit: (event) => void (event.type === "guardrail" && told.push(event.reason)),
  } as Partial<Stage> as Stage;
};
const scopeOf = (source: object, start_url?: string) => {
  const bound = bindPlaybook(parsePlaybook({ id: "a", ...source }), { credentialNames: [] });
  return scopeOfRecovery(bound, stage(start_url), (index) => bindStep(bound, index, {}));
};

it("takes the hosts of a recovery from what the playbook opens and says, never from a selector", () => {
  const steps = [
    { action: "click", description: "Open the form.Then submit", selector: "button.app" },
    { action: "click", selector: { primary: "div.com", fallbacks: ["a.test[aria-label='Delete order']"] } },
  ];
  const unbounded = scopeOf({ steps });
  expect(unbounded.hosts).toBeNull();
  expect([...unbounded.named.deeds]).toEqual(["delete"]); // a selector names what may be done
  expect(scopeOf({ start_url: "https://shop.test/login", steps }).hosts).toEqual(["shop.test"]);
  const gotos = [...steps, { action: "goto", params: { url: "https://www.orders.test/1" } }];
  const all = scopeOf({ start_url: "https://shop.test/login", steps: gotos }, "https://other.test/");
  expect(all.hosts).toEqual(["other.test", "shop.test", "orders.test"]);
  expect(told.at(-1)).toContain("it opens addresses on other.test, shop.test, orders.test");
});
