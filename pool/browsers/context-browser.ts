/** A run's context in a Chrome that others use too: a remote one, or one of this node's that runs share. */
import { type Browser, type BrowserContext, type Page, ProtocolError } from "puppeteer-core";
import { untilAborted, withDeadline } from "../../shared/deadline.ts";
import type { Log } from "../telemetry/log.ts";
import type { Viewport } from "./chrome-args.ts";
import { closeAll } from "./close-all.ts";
import type { Egress, Gone, SpareBrowser } from "./held-browser.ts";
import type { KeptListeners } from "./kept-listeners.ts";
import { openPulse, type Pulse } from "./pulse.ts";
import type { Entry, Roster } from "./roster.ts";

const CLOSE_LIMIT_MS = 2_000;

/** The Chrome around contexts. */
export interface ContextHost {
  readonly isRunning: boolean;
  /** Goes when it ends. */
  readonly kept: KeptListeners;
  /** Calls back when it takes no more: who waits in it for a run, waits in vain. Until the result is called. */
  onOutdated?(callback: () => void): () => void;
  closeContext(context: BrowserContext): Promise<void>;
  /** Calls back when it is lost with all its contexts, until the result is called. */
  onGone(callback: (gone: Gone) => void): () => void;
  /** A context could not be closed in time; nor was another question answered, where not `answers`. Never rejects. */
  doubt(answers: boolean): Promise<void>;
  /** Its browser process has been silent for as long as makes it hang (health.ts). */
  hung?(): void;
  /** A context and all that belongs to it is gone. */
  left(): void;
}

/** A context with its one tab. */
export type OpenedTab = { browser: Browser; context: BrowserContext; page: Page; pulse: Pulse; version: string };

type TabRequest = { browser: Browser; newContext: () => Promise<BrowserContext>; egress: Egress; viewport: Viewport };

/**
 * Opens the tab of a run; as long as `signal` allows. Where it rejects, nothing of it stays: what there is is being closed, what comes later is
 * closed when it comes, and then its egress listener, which refuses everything until then.
 */
export async function openTab(
  host: Pick<ContextHost, "closeContext" | "doubt" | "kept">,
  { browser, newContext, egress, viewport }: TabRequest,
  signal: AbortSignal,
): Promise<OpenedTab> {
  const coming = newContext(); // also where the signal has aborted just now: there is one way for the listener to end
  let pulsing: Promise<Pulse> | null = null;
  try {
    const context = await untilAborted(coming, signal);
    const page = await untilAborted(context.newPage(), signal);
    pulsing = openPulse(browser, page, signal);
    const [pulse, version] = await untilAborted(Promise.all([pulsing, browser.version(), page.setViewport(viewport)]), signal);
    return { browser, context, page, pulse, version };
  } catch (error) {
    await host.kept.keep(egress);
    pulsing?.then((pulse) => pulse.browser.detach()).catch(() => {}); // it left none, or is gone with the connection
    const release = () => host.kept.release(egress);
    const doubt = () => host.doubt(true); // the listener goes with its Chrome, or the connection, at the latest
    coming.then(
      (context) => host.closeContext(context).then(release, doubt),
      (cause: unknown) => (isRefused(cause) ? release() : doubt()),
    );
    throw error;
  }
}

/** Chrome itself has answered that there is no context. Where nothing was heard, there may be one. */
const isRefused = (cause: unknown): boolean => cause instanceof ProtocolError && cause.originalMessage !== "";

export type ContextBrowserOptions<E extends Egress> = OpenedTab & {
  entry: Entry;
  egress: E;
  downloadsDir: string | null;
  /** What else goes with it, closed after it in this order. */
  belongings: AsyncDisposable[];
  viewport: Viewport;
  roster: Roster;
  log: Log;
};

export class ContextBrowser<E extends Egress> implements SpareBrowser<E> {
  readonly gone: Promise<Gone>;
  viewport: Viewport;
  readonly #host: ContextHost;
  readonly #options: ContextBrowserOptions<E>;
  readonly #lose: (gone: Gone) => void;
  readonly #unlisten: () => void;
  #unlistenOutdated: (() => void) | undefined;
  #ending: Promise<void> | null = null;

  constructor(host: ContextHost, options: ContextBrowserOptions<E>) {
    this.#host = host;
    this.#options = options;
    this.viewport = options.viewport;
    const { promise, resolve } = Promise.withResolvers<Gone>();
    this.gone = promise;
    this.#lose = resolve;
    this.#unlisten = host.onGone(resolve);
  }

  get entry() {
    return this.#options.entry;
  }
  get browser() {
    return this.#options.browser;
  }
  get page() {
    return this.#options.page;
  }
  get version() {
    return this.#options.version;
  }
  get egress() {
    return this.#options.egress;
  }
  get pulse() {
    return this.#options.pulse;
  }
  get downloadsDir() {
    return this.#options.downloadsDir;
  }
  get isRunning() {
    return this.#ending === null && this.#host.isRunning;
  }

  onOutdated(callback: () => void): void {
    this.#unlistenOutdated = this.#host.onOutdated?.(callback);
  }

  /** Its run, or who waits for one in it, is told that it is gone; and it goes. */
  crash(how: string): void {
    this.#lose({ what: "browser_exit", how });
    void this.end();
  }

  hung(): void {
    if (this.#host.hung) this.#host.hung();
    else void this.#host.doubt(false);
  }

  /** A context cannot be killed, only cut off at once and closed: in the background, so that nobody waits for a hung one. */
  kill(): void {
    void this.end();
  }

  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const { entry, egress, belongings, roster } = this.#options;
    egress.cut(); // whatever Chrome does now
    roster.move(entry, "closing");
    const log = this.#options.log.with({ browser_id: roster.id(entry) });
    this.#unlistenOutdated?.();
    this.#unlisten(); // the Chrome outlives the run, as the session below would
    if (await this.#closeContext(log)) await closeAll([egress], log);
    await closeAll(belongings, log);
    this.#host.left();
    roster.remove(entry);
  }

  /** false: it may still be at work, until its Chrome has ended or the connection, and its listener is kept. */
  async #closeContext(log: Log): Promise<boolean> {
    const { browser, context, egress, pulse } = this.#options;
    const { kept } = this.#host;
    const closing = Promise.all([pulse.browser.detach(), this.#host.closeContext(context)]);
    try {
      await withDeadline(CLOSE_LIMIT_MS, () => closing);
      return true;
    } catch (error) {
      await kept.keep(egress);
      closing.then(
        () => kept.release(egress), // late, and closed all the same
        () => {},
      );
      if (!browser.connected) return false;
      log.warn("could not close a run's context", { error });
      const asked = withDeadline(CLOSE_LIMIT_MS, () => browser.version());
      const answers = await asked.then(
        () => true,
        () => false,
      );
      await this.#host.doubt(answers);
      return false;
    }
  }
}
