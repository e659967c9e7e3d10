import { expect, it } from "vitest";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import { playbookSource } from "../../pool/playbook/source-text.ts";

it("shows a playbook as YAML that means the same, with the line of each step", () => {
  const playbook = parsePlaybook({
    id: "cancel-order",
    steps: [
      { action: "goto", params: { url: "https://shop.test/" } },
      { action: "click", selector: "#cancel", description: "Cancel it: now", once: true, on_failure: "abort" },
    ],
  });
  const { file, text, stepLines } = playbookSource(playbook);
  expect(file).toBe("playbooks/cancel-order.yaml");
  expect(parsePlaybook(text)).toEqual(playbook);
  const lines = text.split("\n");
  expect(stepLines.map((line) => lines[line - 1]?.trim())).toEqual(["- action: goto", "- action: click"]);
  expect(text).not.toContain("null");
});
