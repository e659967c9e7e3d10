import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { bindPlaybook, bindStep } from "../../pool/playbook/bind.ts";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import { fillSelector } from "../../pool/playbook/selector-template.ts";
import { placeholders } from "../../pool/playbook/template.ts";

const page = readFileSync(new URL("../../docs/playbooks.md", import.meta.url), "utf8");
const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1] as string);
const indented = (yaml: string) => yaml.replace(/^(?=.)/gm, "  ");

/** A list of steps is shown without the playbook around it: here it gets one that declares what it uses. */
function wholePlaybook(yaml: string): string {
  if (/^id:/m.test(yaml)) return yaml;
  const stored = [...yaml.matchAll(/store_as: (\w+)/g)].map(([, name]) => name);
  const names = placeholders(yaml).filter((name) => !name.startsWith("credentials.") && !stored.includes(name));
  const parameters = names.map((name) => `\n  - {name: ${name}, default: some}`).join("");
  return `id: shown\nparameters:${parameters || " []"}\nsteps:\n${indented(yaml)}`;
}

it.each(blocks.map((yaml) => [yaml.split("\n")[0], yaml]))("shows a playbook that can run: %s", (_first, yaml) => {
  const playbook = parsePlaybook(wholePlaybook(yaml as string));
  const bound = bindPlaybook(playbook, {
    params: playbook.id === "cancel-order" ? { order_id: 12345 } : {},
    credentialNames: ["user", "password"],
  });
  const stored = Object.fromEntries(playbook.steps.flatMap(({ store_as }) => (store_as ? [[store_as, "some"]] : [])));
  for (const index of playbook.steps.keys()) expect(bindStep(bound, index, stored).index).toBe(index);
});

it("tells the truth about values in selectors", () => {
  const rows = [
    ...page.matchAll(/^\| `([^`]*\{\w\w?\}[^`]*)` \| `([^`]+)` \| `([^`]+)`/gm),
    ...page.matchAll(/^\| `(#row-\{id\})` \| `([^`]+)` \| `([^`]+)`/gm),
  ];
  expect(rows.length).toBeGreaterThanOrEqual(5);
  for (const [, written, value, found] of rows) {
    const [name] = placeholders(written as string);
    expect(fillSelector(written as string, { [name as string]: value as string })).toBe(found);
  }
});

it("shows fields that the schema has, all of them", () => {
  const shape = parsePlaybook("id: a\nparameters: [{name: x}]\nsteps: [{action: wait_for, selector: a}]\n");
  const fields = [...Object.keys(shape), ...Object.keys(shape.steps[0] ?? {}), ...Object.keys(shape.parameters[0] ?? {})];
  for (const field of fields) expect(page).toContain(`| \`${field}\` |`);
});
