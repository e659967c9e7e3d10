/** The row of a new run and its first event. */
import type { RunEvent } from "../../shared/event.ts";
import { toJson } from "./json.ts";
import type { ClockLimits, NewRun } from "./runs.ts";
import type { Sql } from "./sql.ts";

/** One statement. The run is `queued`, and event 1 says so. */
export async function insertRun(tx: Sql, run: NewRun, clockLimits: ClockLimits, at: Date): Promise<void> {
  const event: RunEvent = { type: "status", at: at.toISOString(), status: "queued", previous: null, node_id: null, attempt: 1 };
  await tx.query(
    `WITH added AS (
       INSERT INTO understudy.runs (run_id, api_key_name, status, request, playbook_id, playbook, params, guardrails, sealed_credentials,
         labels, clock_limits, created_at, last_event_id, recording_state)
       VALUES ($1, $2, 'queued', $3::json, $4, $5::json, $6::json, $7::json, $8, $9::jsonb, $10::json, $11, 1, $12)
     )
     INSERT INTO understudy.events (run_id, id, event) VALUES ($1, 1, $13::json)`,
    [
      run.run_id,
      run.api_key_name,
      toJson(run.request),
      run.playbook?.id ?? null,
      run.playbook && toJson(run.playbook),
      toJson(run.params),
      toJson(run.guardrails),
      run.sealed_credentials,
      toJson(run.request.labels),
      toJson(clockLimits),
      at,
      run.request.recording.enabled ? "recording" : "off",
      toJson(event),
    ],
  );
}
