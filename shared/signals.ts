/** Signals that ask a program to end. */

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
export type EndSignal = (typeof SIGNALS)[number];
/** One Ctrl+C can come twice: the terminal signals the whole group, and npm passes on what it hears. */
const ECHO_MS = 1_000;

/** Resolves at the first signal. At the next one, whichever it is and whatever is still waited for, `atOnce` is called; an echo is not heard. */
export function signalToEnd(
  from: { on(signal: EndSignal, listener: () => void): unknown },
  atOnce: (signal: EndSignal) => void,
  now: () => number = () => performance.now(),
): Promise<EndSignal> {
  return new Promise((resolve) => {
    let heardAt: number | null = null;
    const hear = (signal: EndSignal) => {
      heardAt ??= now();
      resolve(signal);
      if (now() - heardAt >= ECHO_MS) atOnce(signal);
    };
    for (const signal of SIGNALS) from.on(signal, () => hear(signal));
  });
}
