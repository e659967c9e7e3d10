/** How a program says that it cannot start, or could. */
import { AppError } from "./errors.ts";

/** EX_CONFIG of sysexits.h: to start it again as it is will not help, somebody has to change a setting. */
export const EXIT_CONFIG = 78;

/** An argument: the program says what is wrong with its settings, opens nothing, and ends. */
export const CHECK_SETTINGS = "--check-settings";

/** Shall the settings only be judged? @throws VALIDATION_FAILED: whoever misspells it would start the program instead */
export function onlyChecks(args: readonly string[]): boolean {
  const unknown = args.find((each) => each !== CHECK_SETTINGS);
  if (unknown !== undefined)
    throw new AppError("VALIDATION_FAILED", `Unknown argument "${unknown}"; there is ${CHECK_SETTINGS}, and no other`);
  return args.length > 0;
}

export const startFailureCode = (error: unknown): number =>
  error instanceof AppError && (error.code === "VALIDATION_FAILED" || error.code === "CONFLICT") ? EXIT_CONFIG : 1;
