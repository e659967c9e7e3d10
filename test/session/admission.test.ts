import { expect, it } from "vitest";
import { type AdmissionDeps, admit, dryRun } from "../../pool/session/admission.ts";
import { CreateRunSchema } from "../../shared/run.ts";

it("takes a max_cost_usd only where every model that the run may be charged for has a price", async () => {
  const body = CreateRunSchema.parse({ playbook: { id: "a", steps: [{ action: "click", selector: "#a" }] }, max_cost_usd: 1 });
  const admitted = (...priced: string[]) => {
    const llm = { model: "openai:m", utilityModel: "openai:small", hasPrice: (model: string) => priced.includes(model) };
    return admit({ llm, operator: {} } as Partial<AdmissionDeps> as AdmissionDeps, body, null);
  };
  const unpriced = (model: string) => ({
    details: {
      issues: [{ path: "max_cost_usd", message: `The price of ${model} is not known (LLM_PRICES), so the limit could not be kept` }],
    },
  });
  await expect(admitted("openai:m")).rejects.toMatchObject(unpriced("openai:small"));
  await expect(admitted("openai:small")).rejects.toMatchObject(unpriced("openai:m"));
  expect((await admitted("openai:m", "openai:small")).playbook?.id).toBe("a");
});

it("warns in a dry run of a playbook that begins on an empty page", async () => {
  const deps = { llm: null, operator: {}, policyOf: () => ({ judgeShown: () => null }) } as unknown as AdmissionDeps;
  const warnings = async (steps: object[], more: object = {}) =>
    (await dryRun(deps, CreateRunSchema.parse({ playbook: { id: "a", steps }, ...more }))).warnings.filter((each) =>
      each.includes("empty page"),
    );
  const click = { action: "click", selector: "#a" };
  const goto = { action: "goto", params: { url: "http://shop.test/" } };
  expect(await warnings([click])).toHaveLength(1);
  expect(await warnings([click], { start_url: "http://shop.test/" })).toEqual([]);
  expect(await warnings([goto, click])).toEqual([]);
  expect(await warnings([{ action: "sequence", params: { actions: [goto, click] } }])).toEqual([]);
  expect(await warnings([{ action: "sequence", params: { actions: [click, goto] } }])).toHaveLength(1);
});
