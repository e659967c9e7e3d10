/** Names of models, as `provider:model`. */
import { AppError } from "../../shared/errors.ts";

export const PROVIDERS = ["anthropic", "openai", "google", "openai-compatible"] as const;
export type Provider = (typeof PROVIDERS)[number];
export type ModelName = { provider: Provider; model: string };

/** `anthropic:claude-x` → its parts; the model's own name may hold colons. Null: it is none. */
export function readModelName(text: string): ModelName | null {
  const at = text.indexOf(":");
  const provider = PROVIDERS.find((each) => each === text.slice(0, Math.max(0, at)));
  const model = text.slice(at + 1).trim();
  return provider !== undefined && model !== "" ? { provider, model } : null;
}

export const MODEL_NAME_FORM = `Expected provider:model, with a provider of ${PROVIDERS.join(", ")}`;

/** @throws VALIDATION_FAILED */
export function parseModelName(text: string): ModelName {
  const name = readModelName(text);
  if (name) return name;
  const issues = [{ path: "model", message: MODEL_NAME_FORM }];
  throw new AppError("VALIDATION_FAILED", `Not the name of a model: ${MODEL_NAME_FORM}`, { details: { issues } });
}
