/** How a program says that it cannot start, or could. */
import { AppError } from "./errors.ts";

/** EX_CONFIG of sysexits.h: to start it again as it is will not help, somebody has to change a setting. */
export const EXIT_CONFIG = 78;

/** An argument: the program says what is wrong with its settings, opens nothing, and ends. */
export const CHECK_SETTINGS = "--check-settings";

export const startFailureCode = (error: unknown): number =>
  error instanceof AppError && (error.code === "VALIDATION_FAILED" || error.code === "CONFLICT") ? EXIT_CONFIG : 1;
