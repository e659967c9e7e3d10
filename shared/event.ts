/** One entry of a run's ordered log: what the SSE stream carries. */
import { z } from "zod";
import { ErrorDetailSchema } from "./errors.ts";
import { VerdictKindSchema } from "./guardrails.ts";
import { RunStatusSchema, TERMINAL_STATUSES, UsageSchema } from "./run-status.ts";

const at = z.iso.datetime().describe("When it happened (ISO 8601, UTC)");

export const StatusEventSchema = z.object({
  type: z.literal("status"),
  at,
  status: RunStatusSchema,
  previous: RunStatusSchema.nullable(),
  node_id: z.string().nullable(),
  attempt: z.int(),
  error: ErrorDetailSchema.optional().describe("Where a next attempt begins: why the one before it is over"),
});

export const StepEventSchema = z.object({
  type: z.literal("step"),
  at,
  index: z.int().min(0),
  action: z.string(),
  description: z.string(),
  state: z.enum(["started", "completed", "failed"]),
  attempt: z.int().min(1),
  error: z.string().nullable(),
});

/** One action done to a page. In a run's JSON the same record, without `type`, stands in `actions[]`. */
export const ActionRecordSchema = z
  .object({
    at,
    seq: z.int().min(1).describe("Position among the run's actions, from 1"),
    step: z.int().nullable().describe("Index of the playbook step, from 0; null for what belongs to no step, as opening start_url"),
    tool: z.string(),
    action: z.string(),
    summary: z.string(),
    url: z.string().nullable().describe("Address of the page afterwards"),
    duration_ms: z.number().min(0),
    success: z.boolean(),
    result_text: z.string().nullable(),
    error: z.string().nullable(),
    screenshot: z.string().nullable().describe("Name below recording/screenshots"),
  })
  .meta({ id: "Action" });
export type ActionRecord = z.infer<typeof ActionRecordSchema>;
export const ActionEventSchema = z.object({ type: z.literal("action"), ...ActionRecordSchema.shape });

export const GuardrailEventSchema = z.object({
  type: z.literal("guardrail"),
  at,
  rule: z.string(),
  kind: VerdictKindSchema,
  reason: z.string(),
  action_seq: z.int().nullable(),
  host: z.string().nullable(),
});

export const UsageEventSchema = z.object({
  type: z.literal("usage"),
  at,
  model: z.string(),
  input_tokens: z.int(),
  output_tokens: z.int(),
  cost_usd: z.number().nullable(),
  total: UsageSchema,
});

export const CompleteEventSchema = z.object({ type: z.literal("complete"), at, status: z.enum(TERMINAL_STATUSES) });

export const RunEventSchema = z
  .discriminatedUnion("type", [
    StatusEventSchema,
    StepEventSchema,
    ActionEventSchema,
    GuardrailEventSchema,
    UsageEventSchema,
    CompleteEventSchema,
  ])
  .meta({ id: "Event" });
export type RunEvent = z.infer<typeof RunEventSchema>;
export type RunEventType = RunEvent["type"];

/** An event with its number: 1, 2, 3 … within the run, given by its insert in the store. */
export type NumberedEvent = { id: number; event: RunEvent };
