/** A source that is silent for too long has failed. */
import { AppError } from "../../shared/errors.ts";
import type { Read } from "../wire/body.ts";

/** The same source, except that a read which takes longer than `idleMs` rejects. The source goes on waiting: whoever gets the error cancels it. */
export function withIdleLimit(read: Read, idleMs: number): Read {
  return () =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(silent(idleMs)), idleMs);
      read().then(
        (chunk) => {
          clearTimeout(timer);
          resolve(chunk);
        },
        (error) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
}

const silent = (idleMs: number): AppError =>
  new AppError("UPSTREAM_TIMEOUT", `A node sent nothing for ${idleMs} ms`, { details: { reason: "idle" }, retryAfterS: 1 });
