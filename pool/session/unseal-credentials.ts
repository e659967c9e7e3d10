/** What a run may type, and must not show. */
import type { Credentials } from "../../shared/secret-value.ts";
import { bindOrigins } from "../secrets/credentials.ts";
import type { Redactor } from "../secrets/redactor.ts";
import type { RunRow } from "../store/runs.ts";
import type { Seal } from "../store/seal.ts";

/** From here on the redactor knows them. @throws SETUP_FAILED: sealed with another key */
export function unsealCredentials({ run_id, sealed_credentials, request }: RunRow, seal: Seal, redactor: Redactor): Credentials {
  const credentials = sealed_credentials === null ? {} : seal.unseal(run_id, sealed_credentials);
  for (const secret of Object.values(credentials)) redactor.learn(secret);
  return bindOrigins(credentials, request.credential_origins);
}
