/** Ends a run in three phases, always all three, in this order. */
import { withDeadline } from "../../shared/deadline.ts";
import { AppError, toErrorDetail } from "../../shared/errors.ts";
import type { Warning } from "../../shared/run-status.ts";

const PHASES = [
  { name: "publishStatus", limitMs: 5_000 }, // first: the caller waits for the outcome, not for our housekeeping
  { name: "cleanup", limitMs: 15_000 }, // before persist: a trace is whole only once its browser is gone
  { name: "persist", limitMs: 60_000 },
] as const;
export type PhaseName = (typeof PHASES)[number]["name"];

export type Phase = {
  /** Does the work; hears the signal when its limit is over. */
  work: (signal: AbortSignal) => Promise<void>;
  /** Called after the phase failed, before the next one: the place to write down what is left to do. */
  failed?: (error: unknown) => Promise<void> | void;
};

/** Longest a finalizer may take, in ms: what a slot's lease adds to a run's own limits. */
export const FINALIZER_LIMIT_MS = PHASES.reduce((sum, { limitMs }) => sum + limitMs, 0);

/** Runs every phase, whatever an earlier one did. Never throws; what failed is told to `warn` and changes no outcome. */
export async function finalize(phases: Record<PhaseName, Phase>, warn: (warning: Warning, cause: unknown) => void): Promise<void> {
  for (const { name, limitMs } of PHASES) {
    const reason = () => new AppError("INTERNAL", `${name} took longer than ${limitMs / 1000} s`);
    try {
      await withDeadline(limitMs, phases[name].work, { reason }); // under a fresh signal: the run's own may be why we are here
    } catch (error) {
      warn({ phase: name, error: toErrorDetail(error) }, error);
      try {
        await phases[name].failed?.(error);
      } catch (again) {
        warn({ phase: name, error: toErrorDetail(again) }, again);
      }
    }
  }
}
