/** A run's context in a Chrome that others use too: a remote one, or one of this node's that runs share. */
import type { Browser, BrowserContext, Page } from "puppeteer-core";
import { withDeadline } from "../../shared/deadline.ts";
import type { Log } from "../telemetry/log.ts";
import type { Viewport } from "./chrome-args.ts";
import { closeAll } from "./close-all.ts";
import type { Egress, Gone, SpareBrowser } from "./held-browser.ts";
import { openPulse, type Pulse } from "./pulse.ts";
import type { Entry, Roster } from "./roster.ts";

const CLOSE_LIMIT_MS = 2_000;

/** The Chrome around contexts. */
export interface ContextHost {
  readonly isRunning: boolean;
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

/** Opens the tab of a run. Where it rejects, its context is being closed. */
export async function openTab(
  host: Pick<ContextHost, "closeContext">,
  { browser, newContext, viewport }: { browser: Browser; newContext: () => Promise<BrowserContext>; viewport: Viewport },
  { signal, limitMs }: { signal: AbortSignal; limitMs: number },
): Promise<OpenedTab> {
  let opened: BrowserContext | null = null;
  const close = (context: BrowserContext) => void host.closeContext(context).catch(() => {}); // it goes with its Chrome, or the connection, at the latest
  try {
    const open = async (limit: AbortSignal): Promise<OpenedTab> => {
      const context = await newContext();
      if (limit.aborted) close(context); // came too late
      limit.throwIfAborted();
      opened = context;
      const page = await context.newPage();
      const [pulse, version] = await Promise.all([openPulse(browser, page), browser.version(), page.setViewport(viewport)]);
      return { browser, context, page, pulse, version };
    };
    return await withDeadline(limitMs, open, { signal });
  } catch (error) {
    if (opened !== null) close(opened);
    throw error;
  }
}

export type ContextBrowserOptions<E extends Egress> = OpenedTab & {
  entry: Entry;
  egress: E;
  downloadsDir: string | null;
  /** Closed after the context, in this order: its egress listener, and what else it has. */
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

  /** A context cannot be killed, only closed: in the background, so that nobody waits for a hung one. */
  kill(): void {
    void this.end();
  }

  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const { entry, browser, context, pulse, belongings, roster } = this.#options;
    roster.move(entry, "closing");
    const log = this.#options.log.with({ browser_id: roster.id(entry) });
    this.#unlistenOutdated?.();
    this.#unlisten(); // the Chrome outlives the run, as the session below would
    if (browser.connected) {
      const close = () => Promise.all([pulse.browser.detach(), this.#host.closeContext(context)]);
      await withDeadline(CLOSE_LIMIT_MS, close).catch(async (error: unknown) => {
        log.warn("could not close a run's context", { error });
        const asked = withDeadline(CLOSE_LIMIT_MS, () => browser.version());
        const answers = await asked.then(
          () => true,
          () => false,
        );
        await this.#host.doubt(answers);
      });
    }
    await closeAll(belongings, log);
    this.#host.left();
    roster.remove(entry);
  }
}
