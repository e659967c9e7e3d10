/** Very many time limits on one timer: each is met up to 50 ms late, and costs next to nothing when it is not needed, as most are not. */

export type Limited = { readonly lateAtMs: number; late(): void };

const TICK_MS = 50;

export class Deadlines {
  readonly #waiting = new Set<Limited>();
  #timer: ReturnType<typeof setInterval> | null = null;

  add(limited: Limited): void {
    this.#waiting.add(limited);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  delete(limited: Limited): void {
    this.#waiting.delete(limited);
  }

  #tick(): void {
    const now = performance.now();
    for (const limited of this.#waiting) {
      if (limited.lateAtMs > now) continue;
      this.#waiting.delete(limited);
      limited.late();
    }
    if (this.#waiting.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
