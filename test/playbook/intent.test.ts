import { expect, it } from "vitest";
import { bindPlaybook, bindStep } from "../../pool/playbook/bind.ts";
import { parsePlaybook } from "../../pool/playbook/load.ts";

it("takes no stored text for the words of whoever asks: what was asked for has its name in its place", () => {
  const source = {
    id: "a",
    parameters: [{ name: "who", default: "Ann" }],
    steps: [
      { action: "extract", selector: "#title", store_as: "title" },
      { action: "click", selector: "#a", description: "Open {title} of {who}" },
      { action: "llm_extract", description: "Read", params: { prompt: "What {who} paid for {title}" } },
    ],
  };
  const stored = { title: "Delete the account" };
  const bound = (given: object, index: number) =>
    bindStep(bindPlaybook(parsePlaybook(given), { params: {}, credentialNames: [] }), index, stored);
  const opens = bound(source, 1);
  expect([opens.description, opens.intent]).toEqual(["Open Delete the account of Ann", "Open {title} of Ann"]);
  const reads = bound(source, 2);
  expect([reads.prompt, reads.stored]).toEqual(["What Ann paid for {title}", stored]);
  const injected = { ...source, parameters: [...source.parameters, { name: "p", inject_into: "steps.2.params.prompt", default: "All" }] };
  expect(bound(injected, 2).prompt).toBe("All");
});
