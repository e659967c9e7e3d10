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

it("says what has no effect, in a dry run and on the run", async () => {
  const deps = (llm: object | null) =>
    ({ llm, operator: {}, policyOf: () => ({ judgeShown: () => null }), seal: { seal: () => null } }) as unknown as AdmissionDeps;
  const typing = (params: object) => ({ action: "key_press", selector: "#a", params });
  const steps = [
    typing({ credential_ref: "user" }),
    { action: "sequence", params: { actions: [typing({ text: "{credentials.password}!" })] } },
  ];
  const credentials = { user: "u", password: "p", pin: "1" };
  const body = CreateRunSchema.parse({
    ...{ playbook: { id: "a", start_url: "http://shop.test/", steps }, credentials, thinking: "high" },
    guardrails: { allowed_domains: [] },
  });
  const empty = "allowed_domains is empty: no host may be reached";
  const all = [empty, "No model is configured: thinking has no effect", 'Credential "pin" is typed by no step'];
  const { warnings } = await dryRun(deps(null), body);
  expect(warnings.filter((each) => all.includes(each))).toEqual(all);
  const onRun = async (llm: object | null) => (await admit(deps(llm), body, null)).warnings;
  expect(await onRun(null)).toEqual(
    all.map((message) => ({ phase: "request", error: { code: "VALIDATION_FAILED", message, details: null } })),
  );
  expect((await onRun({ model: "openai:m", utilityModel: "openai:m" }))?.map(({ error }) => error.message)).toEqual([empty]);
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

it("fails the check of the field that is wrong with what is asked of models", async () => {
  const deps = { llm: null, operator: {}, policyOf: () => ({ judgeShown: () => null }) } as unknown as AdmissionDeps;
  const body = { playbook: { id: "a", steps: [{ action: "llm_extract", params: { prompt: "x" } }] }, model: "openai:m" };
  const asked = { ...body, max_cost_usd: 1, output_schema: { type: "nothing" } };
  const { checks, valid } = await dryRun(deps, CreateRunSchema.parse(asked));
  expect(valid).toBe(false);
  const failed = checks.filter(({ passed }) => !passed).map(({ name, message }) => [name, message.split(": ")[0]]);
  expect(failed).toEqual([
    ["model", "model"],
    ["max_cost_usd", "max_cost_usd"],
    ["output_schema", "output_schema"],
  ]);
  expect(checks.find(({ name }) => name === "model")?.message).toContain("llm_extract needs a model");
});

it("fills in the placeholders of the request's start_url, and refuses one that is no address without a playbook", async () => {
  const llm = { model: "openai:m", utilityModel: "openai:m", hasPrice: () => true };
  const library = { list: () => [] };
  const deps = { llm, library, operator: {}, policyOf: () => ({ judgeShown: () => null }) } as unknown as AdmissionDeps;
  const playbook = { id: "a", parameters: [{ name: "base" }], start_url: "https://{base}/", steps: [{ action: "click", selector: "#a" }] };
  const opened = async (body: object) => (await admit(deps, CreateRunSchema.parse(body), null)).request.start_url;
  expect(await opened({ playbook, params: { base: "a.test" } })).toBe("https://a.test/");
  expect(await opened({ playbook, params: { base: "a.test" }, start_url: "https://{base}/{x" })).toBe("https://a.test/{x");
  const refused = { code: "VALIDATION_FAILED", details: { issues: [expect.objectContaining({ path: "start_url" })] } };
  await expect(opened({ playbook, params: { base: "a.test" }, start_url: "https://a.test/{nobody}" })).rejects.toMatchObject(refused);
  await expect(opened({ directive: "look", start_url: "{base}" })).rejects.toMatchObject(refused);
  expect(await opened({ directive: "look", start_url: "https://a.test/{base}" })).toBe("https://a.test/{base}");
  for (const start_url of ["nowhere", "https://user:hunter2@a.test/"])
    expect(CreateRunSchema.safeParse({ directive: "look", start_url }).success).toBe(false);
  const { checks } = await dryRun(deps, CreateRunSchema.parse({ directive: "look", start_url: "{base}" }));
  expect(checks.filter(({ passed }) => !passed)).toMatchObject([{ name: "start_url" }]);
});
