import { AppError, type Issue } from "../../shared/errors.ts";

/** What is said to be wrong. @throws when nothing is, or when it is no matter of validation */
export function issuesOf(run: () => unknown): Issue[] {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError && error.code === "VALIDATION_FAILED") return error.details?.issues as Issue[];
    throw error;
  }
  throw new Error("It was accepted");
}
