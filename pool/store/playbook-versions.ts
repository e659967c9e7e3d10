/** The tables of playbooks' versions, and of which stands in place of which file. */
import type { Sql } from "./sql.ts";

export type VersionRow = {
  playbook_id: string;
  version: number;
  origin: "file" | "proposal";
  based_on: number | null;
  proposal_id: string | null;
  file_digest: string;
  source: string;
  created_at: Date;
};

/** The channel on which changed playbooks are told; the payload is the id. */
export const PLAYBOOKS_CHANNEL = "understudy_playbooks";

/** Of each playbook. */
const MAX_VERSIONS = 50;
const MAX_HEADS = 20;

const COLUMNS = "playbook_id, version, origin, based_on, proposal_id, file_digest, source, created_at";

/** One change of a playbook at a time, on whatever node; until the transaction ends. */
export async function lockPlaybook(tx: Sql, playbookId: string): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock(7064002, hashtext($1))", [playbookId]);
}

export const listVersions = (sql: Sql, playbookId: string): Promise<VersionRow[]> =>
  sql.query<VersionRow>(`SELECT ${COLUMNS} FROM understudy.playbook_versions WHERE playbook_id = $1 ORDER BY version DESC`, [playbookId]);

/** Its number is the next one of its playbook. Call under `lockPlaybook`. */
export async function addVersion(tx: Sql, given: Omit<VersionRow, "version" | "created_at">, at: Date): Promise<number> {
  const [row] = await tx.query<{ version: number }>(
    `INSERT INTO understudy.playbook_versions (playbook_id, version, origin, based_on, proposal_id, file_digest, source, created_at)
     SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6, $7 FROM understudy.playbook_versions WHERE playbook_id = $1
     RETURNING version`,
    [given.playbook_id, given.origin, given.based_on, given.proposal_id, given.file_digest, given.source, at],
  );
  return (row as { version: number }).version;
}

/** A version without its text. */
export type Forebear = Pick<VersionRow, "version" | "based_on" | "proposal_id">;

/** The version and what it was made from, newest first, as far as it is kept. */
export const readLine = (sql: Sql, playbookId: string, version: number): Promise<Forebear[]> =>
  sql.query<Forebear>(
    `WITH RECURSIVE line AS (
       SELECT version, based_on, proposal_id FROM understudy.playbook_versions WHERE playbook_id = $1 AND version = $2
       UNION SELECT v.version, v.based_on, v.proposal_id FROM understudy.playbook_versions v
         JOIN line ON v.playbook_id = $1 AND v.version = line.based_on AND v.version < line.version)
     SELECT version, based_on, proposal_id FROM line ORDER BY version DESC`,
    [playbookId, version],
  );

/** The version that stands in place of the file with this text, else that file as a version. Null: it never became one. */
export async function readCurrent(sql: Sql, playbookId: string, fileDigest: string): Promise<VersionRow | null> {
  const [row] = await sql.query<VersionRow>(
    `SELECT ${COLUMNS} FROM understudy.playbook_versions WHERE playbook_id = $1
       AND (version = (SELECT version FROM understudy.playbook_heads WHERE playbook_id = $1 AND file_digest = $2)
         OR (origin = 'file' AND file_digest = $2))
     ORDER BY origin = 'file', version DESC LIMIT 1`,
    [playbookId, fileDigest],
  );
  return row ?? null;
}

export type Head = { playbook_id: string; file_digest: string; version: number; source: string };
/** All of them: which version stands in place of which file. */
export const readHeads = (sql: Sql): Promise<Head[]> =>
  sql.query<Head>(
    "SELECT h.playbook_id, h.file_digest, h.version, v.source FROM understudy.playbook_heads h JOIN understudy.playbook_versions v USING (playbook_id, version)",
    [],
  );

/** Null: the file itself from now on. Every node hears of it. */
export async function setHead(tx: Sql, playbookId: string, fileDigest: string, version: number | null, at: Date): Promise<void> {
  if (version === null)
    await tx.query("DELETE FROM understudy.playbook_heads WHERE playbook_id = $1 AND file_digest = $2", [playbookId, fileDigest]);
  else
    await tx.query(
      `INSERT INTO understudy.playbook_heads (playbook_id, file_digest, version, changed_at) VALUES ($1, $2, $3, $4)
       ON CONFLICT (playbook_id, file_digest) DO UPDATE SET version = $3, changed_at = $4`,
      [playbookId, fileDigest, version, at],
    );
  await tx.query(
    `DELETE FROM understudy.playbook_heads WHERE playbook_id = $1 AND file_digest IN (
       SELECT file_digest FROM understudy.playbook_heads WHERE playbook_id = $1 ORDER BY changed_at DESC OFFSET ${MAX_HEADS})`,
    [playbookId],
  );
  await tx.query(
    `DELETE FROM understudy.playbook_versions v WHERE playbook_id = $1
       AND version <= (SELECT max(version) - ${MAX_VERSIONS} FROM understudy.playbook_versions WHERE playbook_id = $1)
       AND NOT EXISTS (SELECT FROM understudy.playbook_heads h WHERE h.playbook_id = v.playbook_id
         AND (h.version = v.version OR (v.origin = 'file' AND h.file_digest = v.file_digest)))`,
    [playbookId],
  );
  await tx.query(`SELECT pg_notify('${PLAYBOOKS_CHANNEL}', $1)`, [playbookId]);
}
