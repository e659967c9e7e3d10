/** Remote Chromes (CHROME_WS_ENDPOINTS): a context per run, over one connection per endpoint. The operator keeps them running. */
import type { Browser, BrowserContext, Page } from "puppeteer-core";
import { untilAborted, withDeadline } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { Log } from "../telemetry/log.ts";
import type { Viewport } from "./chrome-args.ts";
import { closeAll } from "./close-all.ts";
import type { BrowserSource, Egress, Gone, HeldBrowser } from "./held-browser.ts";
import { openPulse, type Pulse } from "./pulse.ts";
import { RemoteEndpoint, tellable } from "./remote-endpoint.ts";
import type { Entry, Roster } from "./roster.ts";

const OPEN_LIMIT_MS = 10_000;
const CLOSE_LIMIT_MS = 2_000;

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
    const { roster, log } = this.#options;
    const entry = roster.add("remote");
    entry.runId = runId;
    let egress: E | null = null;
    try {
      egress = await this.#options.openEgress();
      const held = await this.#openAnywhere(entry, egress, viewport, signal);
      roster.move(entry, "busy");
      return held;
    } catch (error) {
      await closeAll(egress === null ? [] : [egress], log);
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

  async #openAnywhere(entry: Entry, egress: E, viewport: Viewport, signal: AbortSignal): Promise<HeldBrowser<E>> {
    const failures: string[] = [];
    for (const endpoint of this.#inTurn()) {
      try {
        return await this.#openAt(endpoint, entry, egress, viewport, signal);
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

  async #openAt(endpoint: RemoteEndpoint, entry: Entry, egress: E, viewport: Viewport, signal: AbortSignal): Promise<HeldBrowser<E>> {
    const { roster, log, useEgress } = this.#options;
    endpoint.runs += 1; // at once: runs that start together go to different endpoints
    let context: BrowserContext | null = null;
    try {
      const browser = await untilAborted(endpoint.connect(), signal);
      const opened = await withDeadline(
        OPEN_LIMIT_MS,
        async (limit) => {
          const fresh = await endpoint.newContext(browser, useEgress ? egress.proxyUrl : null);
          if (limit.aborted) void endpoint.closeContext(fresh).catch(() => {}); // came too late; it goes with the connection at the latest
          limit.throwIfAborted();
          context = fresh;
          const page = await fresh.newPage();
          await page.setViewport(viewport);
          return { page, pulse: await openPulse(browser, page), version: await browser.version() };
        },
        { signal },
      );
      entry.version = opened.version;
      return new RemoteBrowser(endpoint, context as unknown as BrowserContext, {
        ...opened,
        browser,
        entry,
        egress,
        viewport,
        roster,
        log,
      });
    } catch (error) {
      endpoint.runs -= 1;
      if (context !== null) void endpoint.closeContext(context).catch(() => {}); // as above
      throw error;
    }
  }
}

type Opened<E extends Egress> = {
  browser: Browser;
  page: Page;
  pulse: Pulse;
  version: string;
  entry: Entry;
  egress: E;
  viewport: Viewport;
  roster: Roster;
  log: Log;
};

/** A run's context in a remote Chrome. */
class RemoteBrowser<E extends Egress> implements HeldBrowser<E> {
  readonly entry: Entry;
  readonly browser: Browser;
  readonly page: Page;
  readonly pulse: Pulse;
  readonly version: string;
  readonly egress: E;
  readonly downloadsDir = null;
  readonly gone: Promise<Gone>;
  viewport: Viewport;
  readonly #endpoint: RemoteEndpoint;
  readonly #context: BrowserContext;
  readonly #roster: Roster;
  readonly #log: Log;
  readonly #onDisconnected: () => void;
  #ending: Promise<void> | null = null;

  constructor(endpoint: RemoteEndpoint, context: BrowserContext, opened: Opened<E>) {
    this.#endpoint = endpoint;
    this.#context = context;
    this.entry = opened.entry;
    this.browser = opened.browser;
    this.page = opened.page;
    this.pulse = opened.pulse;
    this.version = opened.version;
    this.egress = opened.egress;
    this.viewport = opened.viewport;
    this.#roster = opened.roster;
    this.#log = opened.log;
    const { promise, resolve } = Promise.withResolvers<Gone>();
    this.gone = promise;
    this.#onDisconnected = () => resolve({ what: "disconnected", how: endpoint.name });
    opened.browser.once("disconnected", this.#onDisconnected);
  }

  /** The context cannot be killed from here, only closed: in the background, so that nobody waits for a hung one. */
  kill(): void {
    void this.end();
  }

  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#roster.move(this.entry, "closing");
    const log = this.#log.with({ browser_id: this.#roster.id(this.entry) });
    this.browser.off("disconnected", this.#onDisconnected); // the connection outlives the run, as the session below would
    if (this.browser.connected) {
      const close = () => Promise.all([this.pulse.browser.detach(), this.#endpoint.closeContext(this.#context)]);
      await withDeadline(CLOSE_LIMIT_MS, close).catch(async (error: unknown) => {
        log.warn("could not close the context of a remote Chrome", { error });
        // Other runs are on that connection: only a Chrome that answers nothing at all is given up.
        await withDeadline(CLOSE_LIMIT_MS, () => this.browser.version()).catch(() =>
          this.#endpoint.giveUp("a context could not be closed"),
        );
      });
    }
    await closeAll([this.egress], log);
    this.#endpoint.runs -= 1;
    this.#roster.remove(this.entry);
  }
}
