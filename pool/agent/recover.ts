/** Recovery of a failed step: the seam where the understudy will take over. */
import { AppError } from "../../shared/errors.ts";

/**
 * What recovers a step while no model is configured: it says so. The step stays failed, as STEP_FAILED.
 * The runner calls it with the failed step and its error; one that repairs resolves with the step's text.
 */
export async function recoverWithoutModel(): Promise<never> {
  throw new AppError(
    "STEP_FAILED",
    "No model is configured that could recover the step (on_failure: retry or abort would not have asked for one)",
  );
}
