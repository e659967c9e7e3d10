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
      listener(new AppError("INTERNAL", what, { cause })); // the cause is the log's: its text names folders of this machine
    } catch {} // a recording is never in the way of its run, nor is who listens to it
  };
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
