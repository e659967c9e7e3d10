/** What operators see and ask of a pool. Needs the scope `pool`; nodes and edges speak it alike. */
import { z } from "zod";
import type { Member } from "./node.ts";
import { numberText, numberTextOr } from "./number-text.ts";
import { RunStatusSchema } from "./run-status.ts";

const time = z.iso.datetime();
const base = {
  run_id: z.string(),
  attempt: z.int().min(1),
  api_key_name: z.string().nullable(),
  playbook_id: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  created_at: time,
};

/** A run that has a slot. */
export const SessionInfoSchema = z
  .object({
    ...base,
    status: RunStatusSchema,
    node_id: z.string(),
    claimed_at: time,
    started_at: time.nullable(),
    last_event_id: z.int(),
    stop_requested: z.boolean(),
  })
  .meta({ id: "Session" });
export const SessionsSchema = z.object({ sessions: z.array(SessionInfoSchema) }).meta({ id: "Sessions" });
export type Sessions = z.infer<typeof SessionsSchema>;

/** A run that waits. */
export const QueuedRunSchema = z
  .object({ ...base, position: z.int().min(1), priority: z.int(), waiting_s: z.number().min(0) })
  .meta({ id: "QueuedRun" });
export const QueueSchema = z
  .object({ queued: z.int(), oldest_s: z.number(), runs: z.array(QueuedRunSchema).describe("The first of them, in their order") })
  .meta({ id: "Queue" });
export type Queue = z.infer<typeof QueueSchema>;
export const QueueQuerySchema = z.strictObject({ limit: numberTextOr(100, z.int().min(1).max(1000)) });

export const KilledSchema = z.object({ run_id: z.string(), status: RunStatusSchema }).meta({ id: "Killed" });

/** Without `grace_s` those in hand have all their time. */
export const DrainQuerySchema = z.strictObject({
  grace_s: numberText(z.number().min(0).max(86_400)).optional().describe("Seconds after which runs that are still in hand are ended"),
});

/** What came of loading a page in a Chrome of the node. */
export const HealthSchema = z
  .object({
    node_id: z.string(),
    healthy: z.boolean(),
    checked_at: time.describe("Up to 30 s ago, unless `fresh` was asked for"),
    duration_ms: z.number().describe("From asking for a browser to a page whose script has run"),
    error: z.string().nullable(),
  })
  .meta({ id: "NodeHealth" });
export type Health = z.infer<typeof HealthSchema>;
export const HealthQuerySchema = z.strictObject({ fresh: z.enum(["true", "false"]).default("false") });

/** Which node to take out first. */
export const ScaleInSchema = z
  .object({
    node_id: z.string().nullable().describe("null: no node could go without leaving none that takes runs"),
    busy: z.int().nullable(),
    reason: z.string().nullable().describe("Why none is named; null where one is"),
  })
  .meta({ id: "ScaleIn" });
export type ScaleIn = z.infer<typeof ScaleInSchema>;

/** Pure. Of the nodes that take runs the one with the fewest in hand; of those the one that started last. The last one is never named. */
export function emptiest(nodes: readonly Member[]): ScaleIn {
  const ready = nodes.filter(({ state }) => state === "ready");
  const [first] = ready.toSorted((a, b) => a.slots.busy - b.slots.busy || b.started_at.localeCompare(a.started_at));
  if (first && ready.length > 1) return { node_id: first.node_id, busy: first.slots.busy, reason: null };
  const reason = first ? `${first.node_id} is the only node that takes runs` : "No node takes runs";
  return { node_id: null, busy: null, reason };
}

export const ADMIN_ACTIONS = ["drain", "resume", "recycle_browser", "kill_browser", "kill_session"] as const;
export const AuditEntrySchema = z
  .object({
    id: z.int().min(1),
    at: time,
    key_name: z.string().nullable().describe("Whose key it was; null: asked of the node itself, with the pool's token"),
    action: z.enum(ADMIN_ACTIONS),
    target: z.string().describe("Id of the node, browser or run"),
    node_id: z.string().describe("The node that was asked"),
    request_id: z.string().nullable(),
  })
  .meta({ id: "AuditEntry" });
export type AuditEntry = z.infer<typeof AuditEntrySchema>;
export const AuditPageSchema = z.object({ entries: z.array(AuditEntrySchema), next_before: z.int().nullable() }).meta({ id: "AuditPage" });
export type AuditPage = z.infer<typeof AuditPageSchema>;
/** As the store counts them. */
const MAX_AUDIT_ID = 2_147_483_647;
/** Newest first: entries with a lower id than `before`. */
export const AuditQuerySchema = z.strictObject({
  before: numberText(z.int().min(1).max(MAX_AUDIT_ID)).optional(),
  limit: numberTextOr(100, z.int().min(1).max(1000)),
});

/** Header that names the node an admin action is meant for: another may have come up at its address. */
export const EXPECTED_NODE_HEADER = "X-Expected-Node-Id";
/** Header that names the key of who asks for an admin action. */
export const ADMIN_KEY_NAME_HEADER = "X-Admin-Key-Name";
