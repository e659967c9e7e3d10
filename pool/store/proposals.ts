/** The tables of proposals and of playbooks' versions. What a repair is, is not known here: it is JSON that was written by its reader. */
import { toJson } from "./json.ts";
import type { Sql } from "./sql.ts";

export type ProposalRow = {
  proposal_id: string;
  playbook_id: string;
  status: "open" | "accepted" | "rejected";
  step: number;
  description: string;
  repair: unknown;
  run_id: string;
  picture_before: string | null;
  picture_after: string | null;
  times_seen: number;
  clean_runs: number;
  created_at: Date;
  last_seen_at: Date;
  decided_at: Date | null;
  decided_by: "request" | "promotion" | null;
  version: number | null;
};
export type NewProposal = Pick<ProposalRow, "proposal_id" | "playbook_id" | "step" | "description" | "repair" | "run_id"> & {
  fingerprint: string;
  pictures: { before: string | null; after: string | null };
};

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
const MAX_PROPOSALS = 100;
const MAX_VERSIONS = 50;
const MAX_HEADS = 20;

const COLUMNS = `proposal_id, playbook_id, status, step, description, repair, run_id, picture_before, picture_after, times_seen, clean_runs,
  created_at, last_seen_at, decided_at, decided_by, version`;

/** The same repair again is the same proposal, seen once more: a rejected one stays rejected, one that was taken back is open again. */
export async function saveProposal(sql: Sql, given: NewProposal, at: Date): Promise<void> {
  const { pictures } = given;
  await sql.query(
    `INSERT INTO understudy.proposals AS p (proposal_id, playbook_id, fingerprint, step, description, repair, run_id, picture_before,
       picture_after, created_at, last_seen_at) VALUES ($1, $2, $3, $4, $5, $6::json, $7, $8, $9, $10, $10)
     ON CONFLICT (playbook_id, fingerprint) DO UPDATE SET times_seen = p.times_seen + 1, last_seen_at = $10, run_id = $7, picture_before = $8,
       picture_after = $9, clean_runs = 0, status = CASE WHEN p.status = 'rejected' THEN 'rejected' ELSE 'open' END`,
    [
      given.proposal_id,
      given.playbook_id,
      given.fingerprint,
      given.step,
      given.description,
      toJson(given.repair),
      given.run_id,
      pictures.before,
      pictures.after,
      at,
    ],
  );
  await sql.query(
    `DELETE FROM understudy.proposals WHERE playbook_id = $1 AND proposal_id IN (
       SELECT proposal_id FROM understudy.proposals WHERE playbook_id = $1 ORDER BY last_seen_at DESC OFFSET ${MAX_PROPOSALS})`,
    [given.playbook_id],
  );
}

/** Newest first. */
export const listProposals = (sql: Sql, playbookId: string, status: ProposalRow["status"] | null): Promise<ProposalRow[]> =>
  sql.query<ProposalRow>(
    `SELECT ${COLUMNS} FROM understudy.proposals WHERE playbook_id = $1 AND ($2::text IS NULL OR status = $2) ORDER BY last_seen_at DESC`,
    [playbookId, status],
  );

/** The row, held until the transaction ends. */
export async function holdProposal(tx: Sql, playbookId: string, proposalId: string): Promise<ProposalRow | null> {
  const [row] = await tx.query<ProposalRow>(
    `SELECT ${COLUMNS} FROM understudy.proposals WHERE playbook_id = $1 AND proposal_id = $2 FOR UPDATE`,
    [playbookId, proposalId],
  );
  return row ?? null;
}

type Decision = Pick<ProposalRow, "proposal_id" | "status" | "decided_by" | "version">;
export async function decideProposal(sql: Sql, { proposal_id, status, decided_by, version }: Decision, at: Date): Promise<void> {
  await sql.query("UPDATE understudy.proposals SET status = $2, decided_at = $3, decided_by = $4, version = $5 WHERE proposal_id = $1", [
    proposal_id,
    status,
    at,
    decided_by,
    version,
  ]);
}

/** What came of a run that used it on trial. Returns how many were clean in a row. */
export async function countTrial(sql: Sql, proposalId: string, clean: boolean): Promise<number> {
  const [row] = await sql.query<{ clean_runs: number }>(
    "UPDATE understudy.proposals SET clean_runs = CASE WHEN $2 THEN clean_runs + 1 ELSE 0 END WHERE proposal_id = $1 RETURNING clean_runs",
    [proposalId, clean],
  );
  return row?.clean_runs ?? 0;
}

/** One change of a playbook at a time, on whatever node; until the transaction ends. */
export async function lockPlaybook(tx: Sql, playbookId: string): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock(7064002, hashtext($1))", [playbookId]);
}

export const listVersions = (sql: Sql, playbookId: string): Promise<VersionRow[]> =>
  sql.query<VersionRow>(
    `SELECT playbook_id, version, origin, based_on, proposal_id, file_digest, source, created_at FROM understudy.playbook_versions
     WHERE playbook_id = $1 ORDER BY version DESC`,
    [playbookId],
  );

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
       AND NOT EXISTS (SELECT FROM understudy.playbook_heads h WHERE h.playbook_id = v.playbook_id AND h.version = v.version)`,
    [playbookId],
  );
  await tx.query(`SELECT pg_notify('${PLAYBOOKS_CHANNEL}', $1)`, [playbookId]);
}

/** What was taken back is rejected: else it would be promoted again. */
export async function rejectVersions(tx: Sql, playbookId: string, versions: readonly number[], at: Date): Promise<void> {
  await tx.query(
    `UPDATE understudy.proposals SET status = 'rejected', decided_at = $3, decided_by = 'request'
     WHERE playbook_id = $1 AND status = 'accepted' AND version = ANY($2::int[])`,
    [playbookId, versions, at],
  );
}
