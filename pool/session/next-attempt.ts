/** When a run gets a fresh attempt: as often as it was posted with `retries`, and only for what its node or its Chrome did to it. */
import type { ErrorDetail } from "../../shared/errors.ts";
import type { RunEvent } from "../../shared/event.ts";
import type { Playbook } from "../../shared/playbook.ts";
import type { RunRow } from "../store/runs.ts";

type Attempted = Pick<RunRow, "attempt" | "request">;

/** Is it the pool's fault, and are attempts left? A stop, a clock, a guardrail, a failed step are answers. */
export const deservesAnother = ({ attempt, request }: Attempted, error: ErrorDetail | null): boolean =>
  error !== null && attempt <= (request.retries ?? 0) && isOurFault(error);

const isOurFault = ({ code, details }: ErrorDetail): boolean =>
  code === "NODE_LOST" ||
  code === "BROWSER_CRASHED" ||
  (code === "RUN_TERMINATED" && (details?.reason === "shutdown" || details?.reason === "drained"));

/** Must the store know that a step began before its input is sent? Else nobody could tell later whether it was done. */
export const guardsOnce = (row: Pick<RunRow, "playbook" | "request">): boolean =>
  (row.request.retries ?? 0) > 0 && (row.playbook?.steps.some(({ once }) => once) ?? false);

/**
 * Pure. May a step that shall happen once have been done, as far as the events of an attempt tell? One that has begun may be; and so may one that comes after
 * a recovery, which may carry out the rest of the playbook.
 */
export function onceMayBeDone({ steps }: Playbook, events: readonly RunEvent[]): boolean {
  const lastOnce = steps.findLastIndex(({ once }) => once);
  return events.some((event) => {
    if (event.type !== "step" || event.index > lastOnce) return false;
    const step = steps[event.index];
    if (!step || step.once) return true;
    const hasRecovered = event.attempt > 1 || step.action === "llm_extract"; // which is recovered without a second attempt
    return step.on_failure === "llm_recover" && hasRecovered;
  });
}
