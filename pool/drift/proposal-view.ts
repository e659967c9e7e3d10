/** A proposal as the API shows it. */
import { AppError } from "../../shared/errors.ts";
import type { Playbook } from "../../shared/playbook.ts";
import type { Proposal } from "../../shared/proposal.ts";
import { unifiedDiff } from "../playbook/diff.ts";
import type { Repair } from "../playbook/repair.ts";
import { applyRepair, stillApplies } from "../playbook/yaml-edit.ts";
import type { ProposalRow } from "../store/proposals.ts";

/** `text`: what runs now, and `playbook` what it says. Rewrites the YAML, which takes milliseconds. */
export function toProposal(row: ProposalRow, text: string, playbook: Playbook | null): Proposal {
  const repair = row.repair as Repair;
  const diff = playbook && stillApplies(playbook, repair) ? diffOf(row.playbook_id, text, repair) : null;
  const picture = (name: string | null) => name && `/runs/${row.run_id}/recording/screenshots/${name}`;
  return {
    proposal_id: row.proposal_id,
    playbook_id: row.playbook_id,
    status: row.status,
    applies: diff !== null,
    step: row.step,
    description: row.description,
    diff: diff ?? "",
    run_id: row.run_id,
    pictures: { before: picture(row.picture_before), after: picture(row.picture_after) },
    times_seen: row.times_seen,
    clean_runs: row.clean_runs,
    created_at: row.created_at.toISOString(),
    last_seen_at: row.last_seen_at.toISOString(),
    decided_at: row.decided_at?.toISOString() ?? null,
    decided_by: row.decided_by,
    version: row.version,
  };
}

function diffOf(id: string, text: string, repair: Repair): string | null {
  try {
    return unifiedDiff(text, applyRepair(text, repair).text, `playbooks/${id}.yaml`);
  } catch (error) {
    if (error instanceof AppError && error.code === "CONFLICT") return null;
    throw error;
  }
}
