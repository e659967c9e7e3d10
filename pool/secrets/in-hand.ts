/** The secrets that a node has in hand right now, its own and those of its runs: no line of its log shows one. */
import type { Redactor } from "./redactor.ts";

export class SecretsInHand {
  readonly #redactors = new Set<Redactor>();

  /** For the life of the process, or until that resolves; it must not reject. */
  hold(redactor: Redactor, until?: Promise<void>): void {
    this.#redactors.add(redactor);
    void until?.then(() => this.#redactors.delete(redactor));
  }

  readonly redact = (text: string): string => {
    let redacted = text;
    for (const redactor of this.#redactors) redacted = redactor.text(redacted);
    return redacted;
  };
}
