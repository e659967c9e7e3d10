/** What an action throws when it could not be done. */
import { AppError, type ErrorCode } from "../../shared/errors.ts";

type Options = { dispatched?: boolean; code?: ErrorCode; cause?: unknown; details?: Record<string, unknown> };

/** `STEP_FAILED`, unless another code fits better. Its message names the action, its target and the obstacle, never a typed text. */
export class ActionError extends AppError {
  /** Was input already sent to the page? Then doing it once more may do it twice. */
  readonly dispatched: boolean;

  constructor(message: string, { dispatched = false, code = "STEP_FAILED", cause, details }: Options = {}) {
    super(code, message, { cause, details });
    this.dispatched = dispatched;
  }
}
