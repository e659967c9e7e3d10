import { expect, it } from "vitest";
import { type AdmissionDeps, admit } from "../../pool/session/admission.ts";
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
