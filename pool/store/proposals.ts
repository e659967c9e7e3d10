/** The table of proposals. What a repair is, is not known here: it is JSON that was written by its reader. */
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

/** Of each playbook and each status. What was rejected is remembered for longer: it is not to be proposed again. */
const MAX_PROPOSALS = 100;
const MAX_REJECTED = 1000;

const COLUMNS = `proposal_id, playbook_id, status, step, description, repair, run_id, picture_before, picture_after, times_seen, clean_runs,
  created_at, last_seen_at, decided_at, decided_by, version`;

/** Of `understudy.proposals p`: a version that is kept was made of it. */
const IS_IN_A_VERSION =
  "EXISTS (SELECT FROM understudy.playbook_versions v WHERE v.playbook_id = p.playbook_id AND v.proposal_id = p.proposal_id)";

/**
 * The same repair again is the same proposal, seen once more: a rejected one stays rejected, one that was accepted for another text is open again. Call
 * under `lockPlaybook`, for a repair that what runs does not have.
 */
export async function saveProposal(sql: Sql, given: NewProposal, at: Date): Promise<void> {
  const { pictures } = given;
  await sql.query(
    `INSERT INTO understudy.proposals AS p (proposal_id, playbook_id, fingerprint, step, description, repair, run_id, picture_before,
       picture_after, created_at, last_seen_at) VALUES ($1, $2, $3, $4, $5, $6::json, $7, $8, $9, $10, $10)
     ON CONFLICT (playbook_id, fingerprint) DO UPDATE SET times_seen = p.times_seen + 1, last_seen_at = $10, run_id = $7, picture_before = $8,
       picture_after = $9, clean_runs = 0, status = CASE WHEN p.status = 'rejected' THEN 'rejected' ELSE 'open' END,
       decided_at = CASE WHEN p.status = 'rejected' THEN p.decided_at END, decided_by = CASE WHEN p.status = 'rejected' THEN p.decided_by END,
       version = CASE WHEN p.status = 'rejected' THEN p.version END`,
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
    `DELETE FROM understudy.proposals WHERE proposal_id IN (
       SELECT proposal_id FROM (
         SELECT proposal_id, status, row_number() OVER (PARTITION BY status ORDER BY last_seen_at DESC) AS nth
         FROM understudy.proposals p WHERE playbook_id = $1 AND NOT ${IS_IN_A_VERSION}) AS ranked
       WHERE nth > CASE status WHEN 'rejected' THEN ${MAX_REJECTED} ELSE ${MAX_PROPOSALS} END)`,
    [given.playbook_id],
  );
}

/** Newest first, the latest. */
export const listProposals = (sql: Sql, playbookId: string, status: ProposalRow["status"] | null): Promise<ProposalRow[]> =>
  sql.query<ProposalRow>(
    `SELECT ${COLUMNS} FROM understudy.proposals WHERE playbook_id = $1 AND ($2::text IS NULL OR status = $2) ORDER BY last_seen_at DESC
     LIMIT ${MAX_PROPOSALS}`,
    [playbookId, status],
  );

export async function readProposal(sql: Sql, playbookId: string, proposalId: string): Promise<ProposalRow | null> {
  const [row] = await sql.query<ProposalRow>(`SELECT ${COLUMNS} FROM understudy.proposals WHERE playbook_id = $1 AND proposal_id = $2`, [
    playbookId,
    proposalId,
  ]);
  return row ?? null;
}

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

/** A version that runs has them again. */
export async function acceptAgain(tx: Sql, made: readonly { proposal_id: string; version: number }[], at: Date): Promise<void> {
  for (const { proposal_id, version } of made)
    await decideProposal(tx, { proposal_id, status: "accepted", decided_by: "request", version }, at);
}

/** What was taken back is rejected: else it would be promoted again. */
export async function takeBack(tx: Sql, made: readonly { proposal_id: string }[], at: Date): Promise<void> {
  await tx.query(
    "UPDATE understudy.proposals SET status = 'rejected', decided_at = $2, decided_by = 'request' WHERE status = 'accepted' AND proposal_id = ANY($1::uuid[])",
    [made.map(({ proposal_id }) => proposal_id), at],
  );
}

/** What no run has proposed since, and no version was made of. */
export async function forgetProposals(sql: Sql, before: Date): Promise<void> {
  await sql.query(`DELETE FROM understudy.proposals p WHERE last_seen_at < $1 AND NOT ${IS_IN_A_VERSION}`, [before]);
}
