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

export type Breakers = {
  /** As `Breaker`, for a call of this model: what is wrong with one says nothing of the others, but a refused key is refused for all. */
  enter(model: string): number;
  succeeded(model: string): void;
  failed(model: string, ofKey: boolean): void;
  abandoned(model: string): void;
};

/** Which models there are, requests say: so many are remembered, those asked last. */
const MODELS = 100;

export function createBreakers(make: () => Breaker = createBreaker): Breakers {
  const ofKey = make();
  const models = new Map<string, Breaker>();
  const of = (model: string): Breaker => {
    const breaker = models.get(model) ?? make();
    models.delete(model);
    models.set(model, breaker);
    const [oldest] = models.keys();
    if (models.size > MODELS && oldest !== undefined) models.delete(oldest);
    return breaker;
  };
  return {
    enter(model) {
      const keyMs = ofKey.enter();
      if (keyMs > 0) return keyMs;
      const waitMs = of(model).enter();
      if (waitMs > 0) ofKey.abandoned(); // this call may have been let through as its trial
      return waitMs;
    },
    succeeded(model) {
      for (const each of [ofKey, of(model)]) each.succeeded();
    },
    failed(model, isOfKey) {
      const [failing, other] = isOfKey ? [ofKey, of(model)] : [of(model), ofKey];
      failing.failed();
      other.abandoned();
    },
    abandoned(model) {
      for (const each of [ofKey, of(model)]) each.abandoned();
    },
  };
}
