/** Networks whose Chrome is gone, for the next ones: to make one costs 80 ms of CPU, to enter one 10. Whether it is as good as new shows as it is entered. */
import type { Log } from "../telemetry/log.ts";
import type { OwnNetwork } from "./own-network.ts";
import { groupExists } from "./process-identity.ts";

/** So many refused, and never one entered: this machine does not let us. */
const TRIALS = 3;

export class KeptNetworks implements Disposable {
  /** Longest at rest first, each with the process group that was in it. */
  readonly #resting: { network: OwnNetwork; group: number }[] = [];
  readonly #most: number;
  readonly #log: Log;
  #refused = 0;
  #entered = 0;
  #isClosed = false;

  /** @param most that are kept at once, each with three open files */
  constructor(most: number, log: Log) {
    this.#most = most;
    this.#log = log;
  }

  /** One to enter, now the caller's; null: make a new one. As long as the dead are not buried they would be counted as being in it. */
  take(): OwnNetwork | null {
    const at = this.#resting.findIndex(({ group }) => !groupExists(group));
    return this.#resting.splice(at, at < 0 ? 0 : 1)[0]?.network ?? null;
  }

  /** Its Chrome runs. */
  wasEntered(): void {
    this.#entered += 1;
    this.#log.debug("a Chrome has the network of an earlier one");
  }

  /** No Chrome came to run in it; it is closed by whoever took it. */
  wasRefused(error: unknown): void {
    this.#refused += 1;
    this.#log.debug("the network of an earlier Chrome cannot be entered; this one gets a new one", { error });
    if (!this.#isRefusedHere) return;
    this.#log.info("this machine lets no network be used again: every Chrome gets a new one", { error });
    this.#closeAll();
  }

  /** The Chrome that ran in it is ended. Takes it over: it is kept, or closed where there is no room. */
  keep(network: OwnNetwork, group: number): void {
    network.giveTo(null);
    const isWanted = !this.#isClosed && !this.#isRefusedHere && network.canBeEntered && this.#resting.length < this.#most;
    if (isWanted) this.#resting.push({ network, group });
    else network[Symbol.dispose]();
  }

  /** What comes later is closed as it comes. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#closeAll();
  }

  get #isRefusedHere(): boolean {
    return this.#entered === 0 && this.#refused >= TRIALS;
  }

  #closeAll(): void {
    for (const { network } of this.#resting.splice(0)) network[Symbol.dispose]();
  }
}
