/** A run's credentials, each with where it may be typed. */
import type { CredentialOrigins } from "../../shared/credentials.ts";
import { AppError } from "../../shared/errors.ts";
import type { Credentials, SecretValue } from "../../shared/secret-value.ts";

export const bindOrigins = (credentials: Credentials, origins: CredentialOrigins = {}): Credentials =>
  Object.fromEntries(
    Object.entries(credentials).map(
      ([name, secret]) => [name, secret.boundTo(Object.hasOwn(origins, name) ? (origins[name] ?? null) : null)] as const,
    ),
  );

/** @throws VALIDATION_FAILED: the request gave none of that name */
export function credentialOf(credentials: Credentials, name: string): SecretValue {
  const secret = Object.hasOwn(credentials, name) ? credentials[name] : undefined;
  if (secret === undefined) throw new AppError("VALIDATION_FAILED", `No credential "${name}" was given`);
  return secret;
}
