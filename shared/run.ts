/** A run: what a client posts, what it gets back, and the whole record. */
import { z } from "zod";
import { CredentialOriginsSchema, CredentialsSchema, unknownBindings } from "./credentials.ts";
import { ErrorDetailSchema } from "./errors.ts";
import { ActionRecordSchema } from "./event.ts";
import { GuardrailsInputSchema, GuardrailsSchema } from "./guardrails.ts";
import { numberTextOr } from "./number-text.ts";
import { holdsPlaceholder, PlaybookIdSchema } from "./playbook.ts";
import { RecordingOptionsSchema, RecordingSchema } from "./recording.ts";
import { type CLOCKS, RunStatusSchema, UsageSchema, WarningSchema } from "./run-status.ts";
import { webUrlProblem } from "./web-url.ts";

const flatStrings = (limit: number, maxValue: number) =>
  z
    .record(z.string().min(1).max(100), z.string().max(maxValue))
    .refine((map) => Object.keys(map).length <= limit, `At most ${limit} entries`);

/** With a placeholder in it, it is judged once that has its value. */
const StartUrlSchema = z
  .string()
  .max(2048)
  .superRefine((text, context) => {
    const message = holdsPlaceholder(text) ? null : webUrlProblem(text);
    if (message !== null) context.addIssue({ code: "custom", message });
  })
  .describe("Opened first, in place of the playbook's; its placeholders stand for the playbook's parameters");

/** Body of `POST /runs`. */
export const CreateRunSchema = z
  .strictObject({
    directive: z.string().trim().min(1).max(10_000).optional(),
    playbook: z
      .union([
        z.record(z.string(), z.unknown()),
        z
          .string()
          .max(500_000)
          .refine(
            (text) => text.includes("\n") || PlaybookIdSchema.safeParse(text).success,
            "Expected a playbook id, or YAML with line breaks",
          ),
      ])
      .optional()
      .describe("An id, an inline playbook as an object, or YAML as a string with a line break"),
    params: z.record(z.string().max(100), z.union([z.string().max(100_000), z.number(), z.boolean()])).optional(),
    credentials: CredentialsSchema.optional(),
    credential_origins: CredentialOriginsSchema.optional(),
    start_url: StartUrlSchema.optional(),
    timeout_seconds: z.int().min(1).max(3600).default(600),
    max_steps: z.int().min(1).max(200).default(50),
    model: z.string().min(1).max(200).optional(),
    max_cost_usd: z.number().positive().max(1000).optional().describe("Once models have cost so much no further one is asked"),
    thinking: z.enum(["minimal", "low", "medium", "high", "xhigh"]).optional(),
    guardrails: GuardrailsInputSchema.optional(),
    recording: RecordingOptionsSchema.prefault({}),
    output_schema: z.record(z.string(), z.unknown()).optional(),
    viewport: z
      .strictObject({ width: z.int().min(320).max(3840), height: z.int().min(240).max(2160) })
      .default({ width: 1280, height: 720 }),
    labels: flatStrings(20, 200).default({}),
    priority: z.int().min(0).max(9).default(5).describe("Of runs that wait, the highest starts first, the oldest among equals"),
    retries: z
      .int()
      .min(0)
      .max(3)
      .default(0)
      .describe("Fresh attempts for a run whose node or Chrome is lost; none once a step with `once` may have been done"),
  })
  .refine((body) => body.directive !== undefined || body.playbook !== undefined, "Needs a directive, a playbook or both")
  .superRefine((body, context) => {
    for (const name of unknownBindings(body)) {
      context.addIssue({ code: "custom", path: ["credential_origins", name], message: `No credential "${name}" was given` });
    }
  })
  .meta({ id: "CreateRun" });
export type CreateRun = z.infer<typeof CreateRunSchema>;

/** What 202 answers. */
export const RunCreatedSchema = z
  .object({ run_id: z.string(), status: RunStatusSchema, status_url: z.string(), stream_url: z.string() })
  .meta({ id: "RunCreated" });
export type RunCreated = z.infer<typeof RunCreatedSchema>;

export const runCreated = (runId: string, status: RunCreated["status"]): RunCreated => ({
  run_id: runId,
  status,
  status_url: `/runs/${runId}`,
  stream_url: `/runs/${runId}/stream`,
});

export const DryRunSchema = z
  .object({
    valid: z.boolean(),
    checks: z.array(z.object({ name: z.string(), passed: z.boolean(), message: z.string() })),
    warnings: z.array(z.string()),
    guardrails: GuardrailsSchema,
  })
  .meta({ id: "DryRun" });
export type DryRun = z.infer<typeof DryRunSchema>;

export const StepResultSchema = z
  .object({
    index: z.int().min(0),
    action: z.string(),
    description: z.string(),
    success: z.boolean(),
    attempts: z.int().min(1),
    duration_ms: z.number().min(0),
    error: z.string().nullable().describe("For the user: the step's failure_message where it has one"),
    raw_error: z.string().nullable().describe("For whoever debugs"),
    recovery_used: z.boolean(),
    extracted_text: z.string().nullable(),
    usage: UsageSchema.nullable(),
  })
  .meta({ id: "StepResult" });
export type StepResult = z.infer<typeof StepResultSchema>;

const ClockSchema = z.object({ limit_s: z.number(), used_s: z.number() });
export const ClocksSchema = z.object({ queue: ClockSchema, start: ClockSchema, idle: ClockSchema, total: ClockSchema } satisfies Record<
  (typeof CLOCKS)[number],
  typeof ClockSchema
>);
export type Clocks = z.infer<typeof ClocksSchema>;

/** An attempt that its node or Chrome let down, and that another followed. */
export const EarlierAttemptSchema = z
  .object({
    attempt: z.int().min(1),
    node_id: z.string().nullable(),
    claimed_at: z.iso.datetime().nullable(),
    ended_at: z.iso.datetime(),
    error: ErrorDetailSchema,
    usage: UsageSchema.describe("What models had cost the run by then"),
  })
  .meta({ id: "EarlierAttempt" });
export type EarlierAttempt = z.infer<typeof EarlierAttemptSchema>;

const base = {
  run_id: z.string(),
  attempt: z.int().min(1).describe("1, and one more with each retry; all that is told of what the run did is of this one"),
  retries: z.int().min(0).describe("As posted"),
  directive: z.string().nullable(),
  playbook_id: z.string().nullable(),
  start_url: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  created_at: z.iso.datetime(),
  clocks: ClocksSchema,
  guardrails: GuardrailsSchema.describe("As merged"),
  result: z.string().nullable(),
  data: z.unknown().nullable(),
  warnings: z.array(WarningSchema),
  usage: UsageSchema,
  recording: RecordingSchema,
};
const time = z.iso.datetime();

/** What holds in each state: a failed run has an error, a queued one cannot. */
const states = [
  {
    status: z.literal("queued"),
    node_id: z.null(),
    started_at: z.null(),
    finished_at: z.null(),
    duration_ms: z.null(),
    queue_position: z.int().min(1).nullable(),
    error: z.null(),
  },
  {
    status: z.literal("starting"),
    node_id: z.string(),
    started_at: z.null(),
    finished_at: z.null(),
    duration_ms: z.null(),
    queue_position: z.null(),
    error: z.null(),
  },
  {
    status: z.literal("running"),
    node_id: z.string(),
    started_at: time,
    finished_at: z.null(),
    duration_ms: z.number(),
    queue_position: z.null(),
    error: z.null(),
  },
  {
    status: z.literal("completed"),
    node_id: z.string(),
    started_at: time,
    finished_at: time,
    duration_ms: z.number(),
    queue_position: z.null(),
    error: z.null(),
  },
  {
    status: z.enum(["failed", "timeout", "terminated"]),
    node_id: z.string().nullable(),
    started_at: time.nullable(),
    finished_at: time,
    duration_ms: z.number().nullable(),
    queue_position: z.null(),
    error: ErrorDetailSchema,
  },
] as const;

/** One row of `GET /runs`: the run without its lists. */
export const RunSummarySchema = z
  .discriminatedUnion("status", [
    z.object({ ...base, ...states[0] }),
    z.object({ ...base, ...states[1] }),
    z.object({ ...base, ...states[2] }),
    z.object({ ...base, ...states[3] }),
    z.object({ ...base, ...states[4] }),
  ])
  .meta({ id: "RunSummary" });
export type RunSummary = z.infer<typeof RunSummarySchema>;

const lists = {
  earlier_attempts: z.array(EarlierAttemptSchema),
  actions: z.array(ActionRecordSchema),
  step_results: z.array(StepResultSchema),
  extracted_texts: z.array(z.string()),
};
export const RunSchema = z
  .discriminatedUnion("status", [
    z.object({ ...base, ...lists, ...states[0] }),
    z.object({ ...base, ...lists, ...states[1] }),
    z.object({ ...base, ...lists, ...states[2] }),
    z.object({ ...base, ...lists, ...states[3] }),
    z.object({ ...base, ...lists, ...states[4] }),
  ])
  .meta({ id: "Run" });
export type Run = z.infer<typeof RunSchema>;

export const RunPageSchema = z.object({ runs: z.array(RunSummarySchema), next_cursor: z.string().nullable() }).meta({ id: "RunPage" });
export type RunPage = z.infer<typeof RunPageSchema>;

/** Query of `GET /runs`. `label` is `name=value` or `name`. */
export const ListRunsSchema = z.strictObject({
  status: RunStatusSchema.optional(),
  label: z.string().min(1).max(301).optional(),
  limit: numberTextOr(50, z.int().min(1).max(200)),
  cursor: z.string().min(1).max(200).optional(),
});
export type ListRuns = z.infer<typeof ListRunsSchema>;

export const StoppedSchema = z.object({ run_id: z.string(), status: RunStatusSchema }).meta({ id: "Stopped" });
export type Stopped = z.infer<typeof StoppedSchema>;
