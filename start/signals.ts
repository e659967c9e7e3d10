const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** One Ctrl+C can come twice: the terminal signals the whole group, and npm passes on what it hears. */
const SAME_WISH_MS = 1_000;
let heardAt = Number.NEGATIVE_INFINITY;

/** The next signal that asks us to end. While it is awaited, none of them ends the process by itself; an echo of the one before is not heard. */
export function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const heard = (signal: NodeJS.Signals) => {
      if (performance.now() - heardAt < SAME_WISH_MS) return;
      heardAt = performance.now();
      resolve(signal);
      setImmediate(() => {
        for (const each of SIGNALS) process.off(each, heard);
      }); // not before the next is awaited: an echo in between would end the process
    };
    for (const each of SIGNALS) process.on(each, heard);
  });
}
