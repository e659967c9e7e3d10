import { expect, it } from "vitest";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import { playbookSource } from "../../pool/playbook/source-text.ts";
import { PlaybookSchema } from "../../shared/playbook.ts";

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

it("shows of typed texts their placeholders only, as nothing else shows what is typed", () => {
  const key = (text: string) => ({ action: "key_press", selector: "#a", params: { text } });
  const playbook = PlaybookSchema.parse({
    id: "p",
    steps: [
      key("hunter2"),
      key("{order_id}"),
      key("No. {order_id} of {credentials.user}"),
      { action: "sequence", params: { actions: [key("hunter3"), key("{x}")] } },
      { action: "click", selector: "text=hunter2 is a name here" },
    ],
  });
  const { text, stepLines } = playbookSource(playbook);
  const lines = text.split("\n");
  expect(stepLines.map((line) => lines[line - 1]?.trim())).toEqual(
    [..."kkk"].map(() => "- action: key_press").concat("- action: sequence", "- action: click"),
  );
  expect(text.match(/text: .*/g)).toEqual([
    'text: "[typed]"',
    'text: "{order_id}"',
    'text: "[typed]{order_id}[typed]{credentials.user}"',
    'text: "[typed]"',
    'text: "{x}"',
  ]);
  expect(text).toContain("text=hunter2 is a name here");
});
