/** The row of a new run and its first events. */
import type { RunEvent } from "../../shared/event.ts";
import type { ClockLimits } from "../../shared/run-status.ts";
import type { Owner } from "./fence.ts";
import { toJson } from "./json.ts";
import { type NewRun, RUN_COLUMNS, type RunRow } from "./runs.ts";
import type { Sql } from "./sql.ts";
import { statusEvents } from "./status-change.ts";

/** Born claimed: the first attempt of the run is this node's. */
export type BornClaimed = { owner: Owner; claimId: string };

/** One statement. Event 1 says `queued`; a run that is born claimed is `starting`, which event 2 says. */
export async function insertRun(tx: Sql, run: NewRun, clockLimits: ClockLimits, at: Date, claim: BornClaimed | null): Promise<RunRow> {
  const status = claim ? "starting" : "queued";
  const queued: RunEvent = { type: "status", at: at.toISOString(), status: "queued", previous: null, node_id: null, attempt: 1 };
  const starting = claim ? statusEvents({ from: "queued", to: "starting", at, node_id: claim.owner.node_id, attempt: 1 }) : [];
  const events = [queued, ...starting];
  const [row] = await tx.query<RunRow>(
    `WITH added AS (
       INSERT INTO understudy.runs (run_id, api_key_name, status, request, playbook_id, playbook, params, guardrails, sealed_credentials,
         labels, clock_limits, created_at, last_event_id, recording_state, node_id, boot_id, node_url, claim_id, claimed_at, priority, warnings)
       VALUES ($1, $2, $3, $4::json, $5, $6::json, $7::json, $8::json, $9, $10::jsonb, $11::json, $12, $13, $14, $15, $16, $17, $18, $19, $21, $22::jsonb)
       RETURNING ${RUN_COLUMNS}
     ), logged AS (
       INSERT INTO understudy.events (run_id, id, event)
       SELECT $1, nth, event FROM json_array_elements($20::json) WITH ORDINALITY AS e (event, nth)
     )
     SELECT * FROM added`,
    [
      run.run_id,
      run.api_key_name,
      status,
      toJson(run.request),
      run.playbook?.id ?? null,
      run.playbook && toJson(run.playbook),
      toJson(run.params),
      toJson(run.guardrails),
      run.sealed_credentials,
      toJson(run.request.labels),
      toJson(clockLimits),
      at,
      events.length,
      run.request.recording.enabled ? "recording" : "off",
      claim?.owner.node_id ?? null,
      claim?.owner.boot_id ?? null,
      claim?.owner.node_url ?? null,
      claim?.claimId ?? null,
      claim ? at : null,
      toJson(events),
      run.request.priority,
      toJson(run.warnings ?? []),
    ],
  );
  if (!row) throw new Error(`The insert of run ${run.run_id} returned nothing`);
  return row;
}
