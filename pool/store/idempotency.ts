/** Keys by which a client may post the same run twice and get it once. Per API key, 24 hours. */
import { AppError } from "../../shared/errors.ts";
import type { RunStatus } from "../../shared/run-status.ts";
import type { Sql } from "./sql.ts";

/** `digest`: of the whole body, credentials included; see `Seal.digest`. */
export type Idempotency = { key: string; digest: Uint8Array };
type Remembered = { run_id: string; status: RunStatus };

const KEPT = "24 hours";

/** Takes the key for a new run. False when it is taken, and has not expired; waits for whoever is just taking it. */
export async function takeKey(tx: Sql, apiKeyName: string | null, { key, digest }: Idempotency, run: Remembered): Promise<boolean> {
  const rows = await tx.query(
    `INSERT INTO understudy.idempotency AS i (api_key_name, key, digest, run_id, status, expires_at)
     VALUES ($1, $2, $3, $4, $5, now() + interval '${KEPT}')
     ON CONFLICT (api_key_name, key) DO UPDATE SET digest = $3, run_id = $4, status = $5, expires_at = now() + interval '${KEPT}'
       WHERE i.expires_at <= now()
     RETURNING 1`,
    [apiKeyName ?? "", key, digest, run.run_id, run.status],
  );
  return rows.length > 0;
}

/** Corrects the status that the first answer told. */
export async function rememberStatus(tx: Sql, apiKeyName: string | null, key: string, status: RunStatus): Promise<void> {
  await tx.query("UPDATE understudy.idempotency SET status = $3 WHERE api_key_name = $1 AND key = $2", [apiKeyName ?? "", key, status]);
}

/** What the first answer was. @throws CONFLICT when the key came with another body. */
export async function recall(sql: Sql, apiKeyName: string | null, { key, digest }: Idempotency): Promise<Remembered> {
  const [row] = await sql.query<Remembered & { digest: Uint8Array }>(
    "SELECT run_id, status, digest FROM understudy.idempotency WHERE api_key_name = $1 AND key = $2",
    [apiKeyName ?? "", key],
  );
  if (!row || Buffer.compare(row.digest, digest) !== 0) {
    throw new AppError("CONFLICT", "This Idempotency-Key was used for another request within 24 hours: send a new key", {
      details: { reason: "idempotency_key_reused" },
    });
  }
  return { run_id: row.run_id, status: row.status };
}

/** As `recall`, for a request that cannot be taken in any more: null when the key is new, or has expired. @throws CONFLICT */
export async function recallIfKnown(sql: Sql, apiKeyName: string | null, idempotency: Idempotency): Promise<Remembered | null> {
  const known = await sql.query("SELECT 1 FROM understudy.idempotency WHERE api_key_name = $1 AND key = $2 AND expires_at > now()", [
    apiKeyName ?? "",
    idempotency.key,
  ]);
  return known.length === 0 ? null : recall(sql, apiKeyName, idempotency);
}

export async function forgetExpiredKeys(sql: Sql): Promise<void> {
  await sql.query("DELETE FROM understudy.idempotency WHERE expires_at <= now()", []);
}
