/** Failures of a recording, told to whoever started it. */
import { AppError } from "../../shared/errors.ts";

export type Warn = (what: string, cause: unknown) => void;

/** Each kind of failure once: hundreds of actions can fail to be pictured for one cause. The listener cannot break the recording. */
export function warnOnce(listener: (error: unknown) => void): Warn {
  const told = new Set<string>();
  return (what, cause) => {
    if (told.has(what)) return;
    told.add(what);
    try {
      const why = reasonOf(cause);
      listener(new AppError(cause instanceof AppError ? cause.code : "INTERNAL", why ? `${what}: ${why}` : what, { cause }));
    } catch {} // a recording is never in the way of its run, nor is who listens to it
  };
}

/** What the run's owner may read of it. Any other text is the log's alone: it may name folders of this machine. */
function reasonOf(cause: unknown): string | null {
  if (cause instanceof AppError) return cause.message;
  if (!(cause instanceof Error)) return null;
  if (cause.name === "TimeoutError" && cause instanceof DOMException) return "it took too long"; // a limit of ours
  return "code" in cause && typeof cause.code === "string" && /^E[A-Z0-9]{2,20}$/.test(cause.code) ? cause.code : null; // of the file system, as ENOSPC
}

/** Hears which limit was reached, as "10,000 requests". */
export type OnLimit = (what: string) => void;

/** Each limit is remarked upon once. */
export function sayOnce(say: (text: string) => void): OnLimit {
  const said = new Set<string>();
  return (what) => {
    if (said.has(what)) return;
    said.add(what);
    say(`Recording limit reached: ${what}. Further ones are left out.`);
  };
}
