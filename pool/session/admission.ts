/** Takes a request in: everything that can be known to be wrong is refused here, before there is a run. */
import { counted } from "../../shared/counted.ts";
import { AppError, type Issue, toErrorDetail, validationFailed } from "../../shared/errors.ts";
import type { Guardrails, GuardrailsInput } from "../../shared/guardrails.ts";
import { newRunId } from "../../shared/ids.ts";
import type { Playbook } from "../../shared/playbook.ts";
import type { CreateRun, DryRun } from "../../shared/run.ts";
import { compileSchema } from "../agent/data-schema.ts";
import { inFull } from "../guardrails/defaults.ts";
import { mergeGuardrails } from "../guardrails/merge.ts";
import type { Policy } from "../guardrails/policy.ts";
import type { Llm } from "../llm/llm.ts";
import { parseModelName } from "../llm/model-name.ts";
import { bindPlaybook } from "../playbook/bind.ts";
import { addressProblem } from "../playbook/literals.ts";
import type { Library } from "../playbook/load.ts";
import { checkPlaybookRequest, resolvePlaybook } from "../playbook/request.ts";
import { placeholders } from "../playbook/template.ts";
import type { NewRun } from "../store/runs.ts";
import type { Seal } from "../store/seal.ts";
import { asWarnings, withoutEffect } from "./without-effect.ts";

/** `llm` null: no model is configured. */
export type AdmissionDeps = {
  library: Library;
  seal: Seal;
  operator: GuardrailsInput;
  policyOf: (guardrails: Guardrails) => Policy;
  llm: Pick<Llm, "model" | "utilityModel" | "hasPrice"> | null;
};

/** What is wrong with what the request asks of models. */
async function modelIssues(llm: AdmissionDeps["llm"], { model, max_cost_usd, output_schema }: CreateRun): Promise<Issue[]> {
  const issues: Issue[] = [];
  const issue = (path: string, message: string) => void issues.push({ path, message });
  if (model !== undefined && llm === null) issue("model", "No model is configured on this pool");
  if (model !== undefined && llm !== null) {
    const { provider } = parseModelName(llm.model);
    if (!model.startsWith(`${provider}:`) || model === `${provider}:`)
      issue("model", `Expected a model of the pool's provider, as ${provider}:name`);
  }
  if (max_cost_usd !== undefined && llm === null) issue("max_cost_usd", "No model is configured on this pool");
  if (max_cost_usd !== undefined && llm !== null) {
    const unpriced = [...new Set([model ?? llm.model, llm.utilityModel])].filter((each) => !llm.hasPrice(each)); // the run may be charged for both
    for (const each of unpriced) issue("max_cost_usd", `The price of ${each} is not known (LLM_PRICES), so the limit could not be kept`);
  }
  if (output_schema !== undefined) {
    const error = await compileSchema(output_schema).then(
      () => null,
      (cause: unknown) => toErrorDetail(cause),
    );
    if (error) issue("output_schema", error.message.replace(/^output_schema: /, ""));
  }
  return issues;
}

const OWN_CHECKS = ["max_cost_usd", "output_schema", "start_url"];
/** The check that an issue with the request fails: what a step needs is the matter of the model, else the field's own. */
const checkOf = ({ path }: Issue): string => (OWN_CHECKS.includes(path) ? path : "model");

/** Without a playbook there are no parameters, and so no placeholders: the address is meant as it is written. */
function addressIssues({ start_url }: CreateRun): Issue[] {
  const message = start_url === undefined ? null : addressProblem(start_url);
  return message === null ? [] : [{ path: "start_url", message }];
}

const NO_MODEL = "No playbook matches the directive, and no model is configured that could carry it out alone";

/** @throws VALIDATION_FAILED with everything that is wrong with the playbook, its values, the guardrails or what is asked of a model. */
export async function admit({ library, seal, operator, llm }: AdmissionDeps, body: CreateRun, apiKeyName: string | null): Promise<NewRun> {
  const { credentials = {}, playbook: _, params, guardrails, ...request } = body; // what stands in a column of its own is not kept twice
  const playbook = resolvePlaybook(library, body);
  if (playbook === null && llm === null) throw validationFailed("The request", [{ path: "directive", message: NO_MODEL }]);
  const wrong = [...(await modelIssues(llm, body)), ...(llm ? [] : needsModel(playbook)), ...(playbook ? [] : addressIssues(body))];
  if (wrong.length > 0) throw validationFailed("The request", wrong);
  const bound =
    playbook &&
    bindPlaybook(playbook, {
      params,
      directive: body.directive ?? null,
      start_url: body.start_url ?? null,
      credentialNames: Object.keys(credentials),
    });
  const run_id = newRunId();
  const merged = mergeGuardrails({ operator, playbook: playbook?.guardrails, request: guardrails });
  return {
    run_id,
    api_key_name: apiKeyName,
    request: { ...request, start_url: (bound ? bound.start_url : body.start_url) ?? undefined },
    playbook,
    params: bound?.params ?? {},
    guardrails: merged,
    warnings: asWarnings(withoutEffect({ body, playbook, guardrails: merged, hasModel: llm !== null })),
    sealed_credentials: Object.keys(credentials).length > 0 ? seal.seal(run_id, credentials) : null,
  };
}

/** What `admit` would say, as a list; nothing is written and nothing is opened. */
export async function dryRun({ library, operator, policyOf, llm }: AdmissionDeps, body: CreateRun): Promise<DryRun> {
  const { playbook, checks, warnings } = checkPlaybookRequest(library, { ...body, credentialNames: Object.keys(body.credentials ?? {}) });
  const noPlaybook = playbook === null && body.playbook === undefined;
  if (noPlaybook)
    checks.push({
      name: "playbook",
      passed: llm !== null,
      message: llm ? `No playbook matches: ${llm.model} carries it out alone` : NO_MODEL,
    });
  const wrong = [...(await modelIssues(llm, body)), ...(llm ? [] : needsModel(playbook)), ...(noPlaybook ? addressIssues(body) : [])];
  for (const [name = "", issues = []] of Map.groupBy(wrong, checkOf))
    checks.push({ name, passed: false, message: issues.map(({ path, message }) => `${path}: ${message}`).join("; ") });
  const layers = { operator, playbook: playbook?.guardrails, request: body.guardrails };
  const merged = tryMerge(layers);
  const all = [
    ...checks,
    ...bindings(body),
    { name: "guardrails", passed: merged.error === null, message: merged.error ?? "The merged guardrails hold together" },
  ];
  return {
    valid: all.every(({ passed }) => passed),
    checks: all,
    warnings: [
      ...warnings,
      ...remarks(body, llm !== null),
      ...withoutEffect({ body, playbook, guardrails: merged.guardrails, hasModel: llm !== null }),
      ...nowhere(body, playbook),
      ...(llm ? [] : recoverable(playbook)),
      ...refusals(body, playbook, policyOf(merged.guardrails)),
    ],
    guardrails: inFull(merged.guardrails),
  };
}

function tryMerge(layers: Parameters<typeof mergeGuardrails>[0]) {
  try {
    return { guardrails: mergeGuardrails(layers), error: null };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { guardrails: mergeGuardrails({ operator: layers.operator }), error: error.message };
  }
}

/** Steps that nothing but a model can do. */
const needsModel = (playbook: Playbook | null): Issue[] =>
  (playbook?.steps ?? []).flatMap(({ action }, i) =>
    action === "llm_extract" ? [{ path: `playbook.steps[${i}].action`, message: "llm_extract needs a model, and none is configured" }] : [],
  );

function recoverable(playbook: Playbook | null): string[] {
  const count = playbook?.steps.filter(({ on_failure }) => on_failure === "llm_recover").length ?? 0;
  if (count === 0) return [];
  return [
    `No model is configured: ${counted(count, "step")} with on_failure llm_recover ${count === 1 ? "is" : "are"} tried twice and not recovered`,
  ];
}

/** A playbook that begins on an empty page, which has nothing to click. */
function nowhere({ start_url }: CreateRun, playbook: Playbook | null): string[] {
  const [first] = playbook?.steps ?? [];
  if (!first || start_url || playbook?.start_url) return [];
  const action = first.action === "sequence" ? (first.params.actions as { action?: string }[] | undefined)?.[0]?.action : first.action;
  return action === "goto" ? [] : ["There is no start_url, and the first step is no goto: the run begins on an empty page"];
}

/** Addresses that the guardrails would refuse, as far as that can be said without resolving a name. */
function refusals({ start_url }: CreateRun, playbook: Playbook | null, policy: Policy): string[] {
  const parts = (playbook?.steps ?? []).flatMap(({ action, params }, i) => [
    { action, params, at: `steps[${i}]` },
    ...(Array.isArray(params.actions) ? params.actions : []).map((item: { action?: unknown; params?: { url?: unknown } }, n) => ({
      ...{ action: item?.action, params: item?.params ?? {} },
      at: `steps[${i}].params.actions[${n}]`,
    })),
  ]);
  const urls = [
    { at: "start_url", url: start_url ?? playbook?.start_url },
    ...parts.flatMap(({ action, params, at }) => (action === "goto" ? [{ at, url: params.url }] : [])),
  ];
  return urls.flatMap(({ at, url }) => {
    if (typeof url !== "string" || placeholders(url).length > 0) return [];
    const verdict = policy.judgeShown(url);
    return verdict && url !== "about:blank" ? [`${at} would be refused (${verdict.rule}): ${verdict.reason}`] : [];
  });
}

/** Where each credential may be typed, as a check of a dry run; none where the request binds none. */
function bindings({ credential_origins = {} }: CreateRun): DryRun["checks"] {
  const bound = Object.entries(credential_origins).map(([name, origins]) => `${name} on ${origins.join(", ")}`);
  return bound.length === 0 ? [] : [{ name: "credential_origins", passed: true, message: `Typed only: ${bound.join("; ")}` }];
}

const unbound = ({ credentials = {}, credential_origins }: CreateRun): string[] =>
  credential_origins === undefined ? [] : Object.keys(credentials).filter((name) => !Object.hasOwn(credential_origins, name));

function remarks(body: CreateRun, hasModel: boolean): string[] {
  const empty = Object.entries(body.credentials ?? {}).filter(([, secret]) => secret.isBlank);
  return [
    ...empty.map(([name]) => `Credential "${name}" is blank`),
    ...unbound(body).map((name) => `Credential "${name}" may be typed on any page: credential_origins does not name it`),
    ...(body.output_schema && !hasModel ? ["output_schema needs a model, and none is configured: data will be null"] : []),
    ...(body.output_schema && !("type" in body.output_schema) ? ["output_schema has no type"] : []),
    ...(body.max_steps > 100 ? ["max_steps over 100: an agent that needs so many is usually lost"] : []),
    ...(body.timeout_seconds > 1800 ? ["timeout_seconds over 1800: a slot is taken for more than half an hour"] : []),
  ];
}
