import { describe, expect, it } from "vitest";
import { type BindInput, bindPlaybook, bindStep } from "../../pool/playbook/bind.ts";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import { issuesOf } from "../support/issues.ts";

const bind = (source: object, input: Partial<BindInput> = {}) =>
  bindPlaybook(parsePlaybook({ id: "a", ...source }), { credentialNames: [], ...input });

describe("what is written wrong", () => {
  const yaml = (steps: string) => parsePlaybook(`id: a\nparameters:\n  - {name: p, default: q}\nsteps:\n${steps}`);
  const wrong = (steps: string) => issuesOf(() => bindPlaybook(yaml(steps), { credentialNames: [] }));

  it("is refused with its field and its line: selectors, keys, scripts", () => {
    const steps = [
      "action: click\n    selector: id=b",
      "action: key_press\n    params:\n      key: Bogus",
      "action: evaluate\n    params: {expression: 'f('}",
    ];
    expect(wrong(`${steps.map((step) => `  - ${step}\n`).join("")}`)).toEqual([
      { path: "steps[0].selector.primary", line: 6, message: expect.stringContaining("write #b") },
      { path: "steps[1].params.key", line: 9, message: expect.stringContaining('"Bogus" is not the name of a key') },
      { path: "steps[2].params.expression", line: 11, message: expect.stringContaining("Not a script: it ends in the middle") },
    ]);
  });

  it("is refused in a sequence, in a fallback and in a verification too", () => {
    const items = "  - action: sequence\n    params:\n      actions:\n        - action: key_press\n          params: {key: Ctrl+Bogus}\n";
    const verified =
      "  - action: click\n    selector: {primary: a, fallbacks: [b, nth=1]}\n    verify: {expect_element_gone: 'role=buton'}\n";
    expect(wrong(items + verified)).toMatchObject([
      { path: "steps[0].params.actions[0].params.key", line: 9 },
      { path: "steps[1].selector.fallbacks[1]", line: 11 },
      { path: "steps[1].verify.expect_element_gone.primary", line: 12, message: expect.stringContaining("did you mean role=button?") },
    ]);
  });

  it("is refused beside a placeholder without a value, or a value that cannot stand where it is put", () => {
    const steps = "  - {action: click, selector: {primary: '#{nobody}', fallbacks: [id=b]}}\n";
    const unfit = "  - {action: click, selector: {primary: 'li:nth-child({p})', fallbacks: [id=c]}}\n";
    expect(wrong(steps + unfit).map(({ path }) => path)).toEqual([
      "steps[0].selector.primary",
      "steps[0].selector.fallbacks[0]",
      "steps[1].selector.primary",
      "steps[1].selector.fallbacks[0]",
    ]);
  });

  it("is judged with its values, and left to the step that uses a stored text", () => {
    const press = (key: string, params = {}) =>
      bind(
        {
          parameters: [{ name: "k" }],
          steps: [
            { action: "extract", selector: "#total", store_as: "t" },
            { action: "key_press", params: { key } },
          ],
        },
        { params: { k: "x", ...params } },
      );
    expect(issuesOf(() => press("{k}", { k: "Bogus" }))).toEqual([expect.objectContaining({ path: "steps[1].params.key" })]);
    expect(() => bindStep(press("{k}", { k: "Enter" }), 1, { t: "" })).not.toThrow();
    expect(() => bindStep(press("{t}"), 1, { t: "Enter" })).not.toThrow();
    expect(() => bindStep(press("{t}"), 1, { t: "Bogus" })).toThrow("params.key");
  });

  it("is refused in the request's start_url too, which takes parameters and the place of the playbook's own", () => {
    const source = { parameters: [{ name: "id" }], start_url: "https://shop.example/", steps: [{ action: "click", selector: "a" }] };
    const startingAt = (start_url: string, id = "7") => bind(source, { params: { id }, start_url }).start_url;
    expect(startingAt("https://other.example/{id}")).toBe("https://other.example/7");
    expect(startingAt("{id}", "https://a.example/{id}")).toBe("https://a.example/{id}");
    for (const wrong of ["https://other.example/{ID}{nobody}", "{id}"])
      expect(issuesOf(() => startingAt(wrong))).toEqual([expect.objectContaining({ path: "start_url" })]);
  });
});
