/** The exit code of a program that could not start. */
import { AppError } from "./errors.ts";

/** EX_CONFIG of sysexits.h: to start it again as it is will not help, somebody has to change a setting. */
export const EXIT_CONFIG = 78;

export const startFailureCode = (error: unknown): number =>
  error instanceof AppError && (error.code === "VALIDATION_FAILED" || error.code === "CONFLICT") ? EXIT_CONFIG : 1;
