/** Signals that ask a node to end. */
import type { EventEmitter } from "node:events";

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
/** One Ctrl+C can come twice: the terminal signals the whole group, and npm passes on what it hears. */
const ECHO_MS = 1_000;

/** Resolves at the first signal. At the next one, whichever it is and whatever is still waited for, `atOnce` is called; an echo is not heard. */
export function signalToEnd(
  from: Pick<EventEmitter, "on">,
  atOnce: (signal: NodeJS.Signals) => void,
  now: () => number = () => performance.now(),
): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let heardAt: number | null = null;
    const hear = (signal: NodeJS.Signals) => {
      heardAt ??= now();
      resolve(signal);
      if (now() - heardAt >= ECHO_MS) atOnce(signal);
    };
    for (const signal of SIGNALS) from.on(signal, () => hear(signal));
  });
}
