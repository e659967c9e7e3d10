/** Where a credential may be typed, asked of the frame that is to take it, just before it would. */
import { AppError } from "../../shared/errors.ts";
import type { Verdict } from "../../shared/guardrails.ts";
import type { SecretValue } from "../../shared/secret-value.ts";

export const CREDENTIAL_ORIGIN_RULE = "credential_origin";

/** Origins as the browser gives them; "null" for one that is nobody's, as of a sandboxed frame. */
export type Place = { frame: string; top: string };

/** @throws GUARDRAIL_BLOCKED: frame and top must both be among the origins that the credential is bound to. */
export function assertMayBeTyped(secret: SecretValue, { frame, top }: Place): void {
  const wrong = [frame, top].find((origin) => !secret.mayBeTypedOn(origin));
  if (wrong === undefined) return;
  const where =
    wrong === "null"
      ? "in a sandboxed frame, which has no origin"
      : `on ${wrong}${frame === top ? "" : ` (a frame of ${frame} in a page of ${top})`}`;
  throw new AppError(
    "GUARDRAIL_BLOCKED",
    `The credential "${secret.name}" may not be typed ${where}: credential_origins binds it to ${secret.origins?.join(", ") || "no origin in common"}`,
    { details: { rule: CREDENTIAL_ORIGIN_RULE, kind: "block", credential: secret.name, origin: wrong, host: hostOf(wrong) } },
  );
}

/** The verdict that such an error stands for; null: it is another one. */
export function credentialRefusal(error: unknown): Verdict | null {
  if (!(error instanceof AppError) || error.details?.rule !== CREDENTIAL_ORIGIN_RULE) return null;
  return { kind: "block", rule: CREDENTIAL_ORIGIN_RULE, reason: error.message, host: String(error.details.host) };
}

const hostOf = (origin: string): string => (URL.canParse(origin) ? new URL(origin).hostname : origin);
