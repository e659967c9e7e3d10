/** What a lease holds: a Chrome process of its own, or a context in one that others use too. The lease does not ask which. */
import type { Socket } from "node:net";
import type { Browser, Page } from "puppeteer-core";
import type { Viewport } from "./chrome-args.ts";
import type { Pulse } from "./pulse.ts";
import type { Entry } from "./roster.ts";

/**
 * A deny-all egress listener, one per browser or context, opened before it. `proxyUrl` is what the browser is told: a loopback address, or for a
 * remote Chrome the one this node advertises.
 */
export type Egress = {
  readonly proxyUrl: string;
  /** This connection is the browser's too, see own-network.ts. */
  take(socket: Socket): void;
  /** Refuses everything from now on, and destroys what is open. It still listens: nobody else gets its port. */
  cut(): void;
} & AsyncDisposable;

export interface HeldBrowser<E extends Egress> {
  readonly entry: Entry;
  readonly browser: Browser;
  /** The tab that waits on about:blank. */
  readonly page: Page;
  readonly version: string;
  readonly egress: E;
  readonly pulse: Pulse;
  /** Downloads land here under names that Chrome makes up. null: on the disk of a remote machine. */
  readonly downloadsDir: string | null;
  viewport: Viewport;
  /** Resolves when it is gone on its own account, with what happened. */
  readonly gone: Promise<Gone>;
  /** Ends it and all that belongs to it. Idempotent, never rejects. */
  end(): Promise<void>;
  /** Its Chrome answers nothing any more: where others have a part in that one, they are told too. */
  hung?(): void;
  /** Ends it in this tick, as far as that can be: its way out is cut whatever Chrome does. `end` must still follow. */
  kill(): void;
}

/** One that waits for a run. */
export interface SpareBrowser<E extends Egress> extends HeldBrowser<E> {
  readonly isRunning: boolean;
  /** Calls back when it should be replaced, unless a run has it: the Chrome around it goes. */
  onOutdated?(callback: () => void): void;
}

export type Gone = { what: "browser_exit" | "disconnected"; how: string };

/** Where leases get their browsers from. */
export interface BrowserSource<E extends Egress> extends AsyncDisposable {
  /** How the browsers are kept apart from the machine. */
  readonly tier: string;
  /** A browser, `busy` for this run. @throws SETUP_FAILED none could be had; or the signal's reason. Nothing is left then. */
  obtain(runId: string, viewport: Viewport, signal: AbortSignal): Promise<HeldBrowser<E>>;
  /** Ends a browser that waits, and puts another in its place. */
  retire(entry: Entry): void;
  /** A run ended: there may be room for another spare. */
  wake(): void;
  /** Why none could be had now; empty: one could. */
  reasons(): string[];
}
