/** A signal and a time limit around work. */

/**
 * Runs `work` under a signal that aborts with `reason()` after `limitMs`, or with the outer signal's reason.
 * Rejects at that moment even when the work does not listen; the work's own late result is then ignored.
 */
export async function withDeadline<T>(
  limitMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  options: { signal?: AbortSignal; reason?: () => unknown } = {},
): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(
    () => limit.abort(options.reason?.() ?? new DOMException(`Not done within ${limitMs} ms`, "TimeoutError")),
    limitMs,
  );
  const signal = options.signal ? AbortSignal.any([options.signal, limit.signal]) : limit.signal;
  try {
    signal.throwIfAborted();
    return await untilAborted(work(signal), signal);
  } finally {
    clearTimeout(timer);
  }
}

/** The promise's outcome, or the signal's reason, whichever is first. Leaves no listener behind. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => {}); // its failure is the abort's doing, and nobody is there to hear it
    throw signal.reason;
  }
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Resolves after `ms`, or rejects with the signal's reason. For backing off, never for hoping that something has happened. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
