const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** The next signal that asks us to end. While it is awaited, none of them ends the process by itself. */
export function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const heard = (signal: NodeJS.Signals) => {
      for (const each of SIGNALS) process.off(each, heard);
      resolve(signal);
    };
    for (const each of SIGNALS) process.on(each, heard);
  });
}
