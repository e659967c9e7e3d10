/** Remote Chromes (CHROME_WS_ENDPOINTS): a context per run, over one connection per endpoint. The operator keeps them running. */
import type { Browser } from "puppeteer-core";
import { untilAborted } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { Log } from "../telemetry/log.ts";
import type { Viewport } from "./chrome-args.ts";
import { ContextBrowser, type ContextHost, openTab } from "./context-browser.ts";
import type { BrowserSource, Egress, HeldBrowser } from "./held-browser.ts";
import { RemoteEndpoint, tellable } from "./remote-endpoint.ts";
import type { Entry, Roster } from "./roster.ts";

const OPEN_LIMIT_MS = 10_000;

export type RemoteOptions<E extends Egress> = {
  /** `ws://host:port/devtools/browser/…`, or `http://host:port`, which is asked for it. */
  endpoints: string[];
  /** Can a remote Chrome reach our egress listeners? false: the operator does without guardrails on the network. */
  useEgress: boolean;
  openEgress: () => Promise<E>;
  roster: Roster;
  log: Log;
};

export class RemoteChromes<E extends Egress> implements BrowserSource<E> {
  readonly tier = "remote";
  readonly #options: RemoteOptions<E>;
  readonly #endpoints: RemoteEndpoint[];
  #turn = 0;

  constructor(options: RemoteOptions<E>) {
    this.#options = options;
    this.#endpoints = options.endpoints.map((url) => new RemoteEndpoint(url, options.log));
  }

  /** Why no run could get a browser now; empty while at least one endpoint may work. */
  reasons(): string[] {
    const failures = this.#endpoints.flatMap(({ failure }) => (failure === null ? [] : [`remote Chrome ${failure}`]));
    return failures.length === this.#endpoints.length ? failures : [];
  }

  /** Connects ahead, so that the first run need not. A dead one is tried again when a run needs it. */
  async connectAll(): Promise<void> {
    await Promise.allSettled(this.#endpoints.map((endpoint) => endpoint.connect()));
  }

  /**
   * A context and a tab in the endpoint with the fewest runs, in turn where they are equal. A dead one is skipped.
   * @throws SETUP_FAILED none works, with the reason of each; or the signal's reason.
   */
  async obtain(runId: string, viewport: Viewport, signal: AbortSignal): Promise<HeldBrowser<E>> {
    const { roster } = this.#options;
    const entry = roster.add("remote");
    entry.runId = runId;
    try {
      const held = await this.#openAnywhere(entry, viewport, signal);
      roster.move(entry, "busy");
      return held;
    } catch (error) {
      roster.remove(entry);
      throw error;
    }
  }

  /** Nothing is kept ahead. */
  retire(): void {}
  wake(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.close()));
  }

  async #openAnywhere(entry: Entry, viewport: Viewport, signal: AbortSignal): Promise<HeldBrowser<E>> {
    const failures: string[] = [];
    for (const endpoint of this.#inTurn()) {
      try {
        return await this.#openAt(endpoint, entry, viewport, signal);
      } catch (error) {
        signal.throwIfAborted();
        failures.push(`${endpoint.name}: ${tellable(error, "no tab could be opened in it")}`);
      }
    }
    throw new AppError("SETUP_FAILED", `No remote Chrome could take the run. ${failures.join("; ")}`, { details: { failures } });
  }

  /** Those known to be down come last: they are tried only when no other works. */
  #inTurn(): RemoteEndpoint[] {
    const first = this.#turn++ % this.#endpoints.length;
    const rotated = [...this.#endpoints.slice(first), ...this.#endpoints.slice(0, first)];
    return rotated.sort((a, b) => Number(a.isResting) - Number(b.isResting) || a.runs - b.runs);
  }

  /** Each endpoint that is tried gets a listener of its own: a context that one opened too late must not have the way out of the run in another. */
  async #openAt(endpoint: RemoteEndpoint, entry: Entry, viewport: Viewport, signal: AbortSignal): Promise<HeldBrowser<E>> {
    const { roster, log, useEgress } = this.#options;
    endpoint.runs += 1; // at once: runs that start together go to different endpoints
    try {
      const browser = await untilAborted(endpoint.connect(), signal);
      const host = hostOf(endpoint, browser);
      const egress = await this.#options.openEgress().catch((cause: Error) => {
        throw new AppError("SETUP_FAILED", `this node could not open a way out for it (${cause.message})`, { cause });
      });
      const newContext = () => endpoint.newContext(browser, useEgress ? egress.proxyUrl : null);
      const limit = AbortSignal.any([signal, AbortSignal.timeout(OPEN_LIMIT_MS)]);
      const tab = await openTab(host, { browser, newContext, egress, viewport }, limit);
      entry.version = tab.version;
      return new ContextBrowser(host, { ...tab, entry, egress, downloadsDir: null, belongings: [], viewport, roster, log });
    } catch (error) {
      endpoint.runs -= 1;
      throw error;
    }
  }
}

/** An endpoint as long as this connection to it lasts. To be made in the tick in which that was found open. */
const hostOf = (endpoint: RemoteEndpoint, browser: Browser): ContextHost => ({
  get isRunning() {
    return browser.connected;
  },
  kept: endpoint.kept,
  closeContext: (context) => endpoint.closeContext(context),
  onGone: (callback) => {
    const onDisconnected = () => callback({ what: "disconnected", how: endpoint.name });
    browser.once("disconnected", onDisconnected);
    return () => browser.off("disconnected", onDisconnected);
  },
  doubt: async (answers) => {
    if (!answers) await endpoint.giveUp("it stopped answering"); // other runs are on that connection: only one that answers nothing at all is given up
  },
  left: () => {
    endpoint.runs -= 1;
  },
});
