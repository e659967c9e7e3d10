import type { Log } from "../telemetry/log.ts";

/** Closes each, in this order, whatever becomes of the one before: a folder that stays must not keep a listener open. Never rejects. */
export async function closeAll(all: AsyncDisposable[], log: Log): Promise<void> {
  for (const each of all) {
    try {
      await each[Symbol.asyncDispose]();
    } catch (error) {
      log.warn("could not end all of a browser", { error });
    }
  }
}
