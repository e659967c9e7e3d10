/** The state machine of a run, as values. */
import { z } from "zod";
import { ErrorDetailSchema } from "./errors.ts";

export const TERMINAL_STATUSES = ["completed", "failed", "timeout", "terminated"] as const;
export const RUN_STATUSES = ["queued", "starting", "running", ...TERMINAL_STATUSES] as const;
export const RunStatusSchema = z.enum(RUN_STATUSES);
export type RunStatus = z.infer<typeof RunStatusSchema>;
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];

/** What may follow what. Back to `queued` only for runs posted with `retries`: a next attempt. */
export const RUN_TRANSITIONS: Record<RunStatus, readonly RunStatus[]> = {
  queued: ["starting", ...TERMINAL_STATUSES],
  starting: ["running", "queued", ...TERMINAL_STATUSES],
  running: ["queued", ...TERMINAL_STATUSES],
  completed: [],
  failed: [],
  timeout: [],
  terminated: [],
};

export const isTerminal = (status: RunStatus): status is TerminalStatus => RUN_TRANSITIONS[status].length === 0;
export const mayFollow = (from: RunStatus, to: RunStatus): boolean => RUN_TRANSITIONS[from].includes(to);

export const CLOCKS = ["queue", "start", "idle", "total"] as const;
export type ClockName = (typeof CLOCKS)[number];
/** Seconds. The limit of `total` is each run's own. */
export type ClockLimits = Record<Exclude<ClockName, "total">, number>;

/** Tokens and money that models cost. Zero where none was asked. */
export const UsageSchema = z
  .object({ model: z.string().nullable(), input_tokens: z.int(), output_tokens: z.int(), cost_usd: z.number().nullable() })
  .meta({ id: "Usage" });
export type Usage = z.infer<typeof UsageSchema>;
export const NO_USAGE: Usage = { model: null, input_tokens: 0, output_tokens: 0, cost_usd: null };

/** What went wrong in a phase that does not change the outcome of the run. */
export const WarningSchema = z.object({ phase: z.string(), error: ErrorDetailSchema }).meta({ id: "Warning" });
export type Warning = z.infer<typeof WarningSchema>;
