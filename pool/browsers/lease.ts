/** One run's hold on one browser, given back by disposing it. */
import type { Browser, Page } from "puppeteer-core";
import { AppError } from "../../shared/errors.ts";
import type { Log } from "../telemetry/log.ts";
import { Health, type HealthOptions } from "./health.ts";
import type { Egress, HeldBrowser } from "./held-browser.ts";

/** What befell the browser; stands in `details.what` of `BROWSER_CRASHED`. */
export type BrowserLoss = "browser_exit" | "disconnected" | "page_crash" | "page_hang" | "browser_hang";

const MESSAGES: Record<BrowserLoss, string> = {
  browser_exit: "The run's Chrome ended",
  disconnected: "The connection to the run's remote Chrome broke",
  page_crash: "The run's page crashed",
  page_hang: "The run's page stopped answering",
  browser_hang: "The run's Chrome stopped answering",
};

export interface Lease<E extends Egress> extends AsyncDisposable {
  readonly browserId: string;
  readonly browser: Browser;
  /** The tab that waits on about:blank with the run's viewport: in the default context, of a remote Chrome in one of its own. */
  readonly page: Page;
  readonly version: string;
  readonly egress: E;
  /** null: on the disk of a remote machine. */
  readonly downloadsDir: string | null;
  /** Aborts with `BROWSER_CRASHED`, `details {what, how}`, when the browser crashed or hangs. Not by disposing or `kill`. */
  readonly lost: AbortSignal;
  /** The run acts on this page now: its crash or hang is the run's. Until told otherwise that is `page`. */
  follow(page: Page): void;
  /** Ends the browser in this tick, whatever hangs; disposing is still due. */
  kill(): void;
}

class BrowserLease<E extends Egress> implements Lease<E> {
  readonly browserId: string;
  readonly #held: HeldBrowser<E>;
  readonly #lost = new AbortController();
  readonly #health: Health;
  readonly #onEnded: () => void;
  #isOver = false;
  #ending: Promise<void> | null = null;

  constructor(held: HeldBrowser<E>, options: { browserId: string; log: Log; onEnded: () => void; health: Partial<HealthOptions> }) {
    this.browserId = options.browserId;
    this.#held = held;
    this.#onEnded = options.onEnded;
    const log = options.log.with({ browser_id: options.browserId });
    const lose = (what: BrowserLoss, how: string) => {
      if (this.#isOver) return;
      this.#finish();
      log.warn("a run's browser is lost", { what, how });
      this.#lost.abort(new AppError("BROWSER_CRASHED", `${MESSAGES[what]} (${how})`, { details: { what, how } }));
      if (what === "browser_hang") held.hung?.();
    };
    this.#health = new Health({
      ...options.health,
      pulse: held.pulse,
      page: held.page,
      log,
      onIll: ({ what, how }) => lose(what, how),
    });
    void held.gone.then(({ what, how }) => lose(what, how));
  }

  get browser() {
    return this.#held.browser;
  }
  get page() {
    return this.#held.page;
  }
  get version() {
    return this.#held.version;
  }
  get egress() {
    return this.#held.egress;
  }
  get downloadsDir() {
    return this.#held.downloadsDir;
  }
  get lost() {
    return this.#lost.signal;
  }

  follow(page: Page): void {
    this.#health.follow(page);
  }

  kill(): void {
    this.#finish();
    this.#held.kill();
  }

  /** Idempotent, never rejects: what could not be removed is logged, and swept at the next boot. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#finish();
    this.#ending ??= this.#held.end().finally(this.#onEnded);
    return this.#ending;
  }

  /** From now on the browser may go: nobody is to be told. What of it is still at work reaches nothing any more, however long its end takes. */
  #finish(): void {
    this.#isOver = true;
    this.#held.egress.cut();
    this.#health[Symbol.dispose]();
  }
}

export function createLease<E extends Egress>(
  held: HeldBrowser<E>,
  options: { browserId: string; log: Log; onEnded: () => void; health: Partial<HealthOptions> },
): Lease<E> {
  return new BrowserLease(held, options);
}
