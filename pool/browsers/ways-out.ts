/**
 * The ways out of a shared Chrome's network. One socket was handed over from inside (own-network.ts); which of the loopback's addresses a
 * connection was made to says whose it is. Each context is told one as its proxy, and none is told twice.
 */
import type { Socket } from "node:net";
import { AppError } from "../../shared/errors.ts";
import { hostOf } from "./chrome-args.ts";
import type { Egress } from "./held-browser.ts";
import { ownNetworkProxyUrl } from "./own-network.ts";

/** 127.0.0.1 is the Chrome's own. */
const FIRST = 2;
const LAST = 254;

/** As long as it is open, connections to its address are its egress listener's. */
export type WayOut = AsyncDisposable & { proxyUrl: string };

export class WaysOut implements AsyncDisposable {
  readonly #takers = new Map<string, Pick<Egress, "take">>();
  #next = FIRST;

  constructor(own: Pick<Egress, "take">) {
    this.#takers.set(hostOf(ownNetworkProxyUrl(FIRST - 1)), own);
  }

  /** What comes to an address that nobody has, or not any more, is hung up on. */
  take(socket: Socket): void {
    const taker = this.#takers.get(socket.localAddress ?? "");
    if (taker) taker.take(socket);
    else socket.destroy();
  }

  /** @throws SETUP_FAILED every address has had its context */
  open(egress: Pick<Egress, "take">): WayOut {
    if (this.#next > LAST) throw new AppError("SETUP_FAILED", "The shared Chrome has no way out left for another context");
    const proxyUrl = ownNetworkProxyUrl(this.#next++);
    this.#takers.set(hostOf(proxyUrl), egress);
    return {
      proxyUrl,
      [Symbol.asyncDispose]: async () => void this.#takers.delete(hostOf(proxyUrl)),
    };
  }

  /** The connections that it gave away are ended by who took them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#takers.clear();
  }
}
