/** A circuit breaker: after some failures in a row nobody is kept waiting for a model that is away. Counts calls, whatever attempts each took. */

export type Breaker = {
  /** Milliseconds until it is worth asking; 0: now. When it was open, only one caller is let through to try. */
  enter(): number;
  succeeded(): void;
  failed(): void;
  /** The call said nothing about the model: it was broken off. */
  abandoned(): void;
};

export function createBreaker({ failures = 3, openMs = 30_000, now = () => performance.now() } = {}): Breaker {
  let inARow = 0;
  let openUntil = 0;
  let isTrying = false;
  return {
    enter() {
      if (inARow < failures) return 0;
      if (isTrying) return Math.max(1, openUntil - now());
      const waitMs = Math.max(0, openUntil - now());
      if (waitMs === 0) isTrying = true;
      return waitMs;
    },
    succeeded() {
      inARow = 0;
      isTrying = false;
    },
    failed() {
      inARow += 1;
      isTrying = false;
      if (inARow >= failures) openUntil = now() + openMs;
    },
    abandoned() {
      isTrying = false;
    },
  };
}
