/** How a session's work came to its end. */
import { pause } from "../../shared/deadline.ts";

/** How long the work may take to write down what it was at when it was told to end. */
const WIND_DOWN_MS = 500;

/** Why the work ended: the signal's reason before its own; null when it has done all. Never rejects, and waits for no work that does not listen. */
export async function failureOf(work: Promise<void>, signal: AbortSignal): Promise<unknown> {
  const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  const worked = work.then(
    () => null,
    (error: unknown) => error,
  );
  const ended = await Promise.race([worked, aborted.then(() => pause(WIND_DOWN_MS))]);
  return signal.aborted ? signal.reason : ended;
}
