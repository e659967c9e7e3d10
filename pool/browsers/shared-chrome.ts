/** A Chrome of this node that runs share: each has a context of its own in it, with a way out and a folder of its own. */
import type { Socket } from "node:net";
import { join } from "node:path";
import type { BrowserContext, BrowserContextOptions, CDPSession } from "puppeteer-core";
import { withDeadline } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import { makeDownloads } from "./browser-folder.ts";
import type { Viewport } from "./chrome-args.ts";
import { type ChromeProcess, launchChrome } from "./chrome-process.ts";
import { closeAll } from "./close-all.ts";
import { ContextBrowser, type ContextHost, openTab } from "./context-browser.ts";
import { openFolderRoot } from "./folder-root.ts";
import type { Egress, Gone } from "./held-browser.ts";
import { KeptListeners } from "./kept-listeners.ts";
import { watchOpening } from "./opening-watch.ts";
import type { ProcessBrowserOptions } from "./process-browser.ts";
import { isAlive, memberWith, type ProcessIdentity } from "./process-identity.ts";
import type { Entry } from "./roster.ts";
import { WaysOut } from "./ways-out.ts";

/** Chrome has just started. */
const SESSION_LIMIT_MS = 10_000;
/** It has 253 ways out; whatever it keeps of contexts that are gone ends here too. */
const MAX_CONTEXTS = 250;

/** As Chrome names it in its command line. */
const NETWORK_SERVICE = "network.mojom.NetworkService";
const NETWORK_LOOK_MS = 1_000;

export type SharedChromeOptions<E extends Egress> = ProcessBrowserOptions<E> & {
  /** For tests: the machine's load. */
  loadPerCpu?: () => number;
};

/** The Chrome's own fault, not that of the node, which may have no file handle or no room left. */
export class TabNotOpened extends Error {
  override readonly name = "TabNotOpened";
}

type Parts<E extends Egress> = {
  chrome: ChromeProcess;
  session: CDPSession;
  ground: E;
  waysOut: WaysOut | null;
  options: SharedChromeOptions<E>;
};

export class SharedChrome<E extends Egress> implements ContextHost, AsyncDisposable {
  readonly entry: Entry;
  /** Contexts that were opened in it. */
  opened = 0;
  /** A context could not be closed: what was in that one may still be at work. */
  isDoubtful = false;
  readonly kept: KeptListeners;
  readonly #parts: Parts<E>;
  readonly #listeners = new Set<(gone: Gone) => void>();
  readonly #waiting = new Set<() => void>();
  readonly #onDoubt: () => void;
  /**
   * Chrome starts another when its network service ends, and has forgotten by then which way out a context was told: all of them get the
   * Chrome's own, which is refused everything (TargetHandler::ApplyNetworkContextParamsOverrides uses what it was told once).
   */
  readonly #networkLook: NodeJS.Timeout;
  /** null: not known, as where it is no process of its own. */
  #network: ProcessIdentity | null = null;
  readonly #ended = Promise.withResolvers<void>();
  readonly ended = this.#ended.promise;
  #contexts = 0;
  #isRetired = false;
  #isKilled = false;
  #ending: Promise<void> | null = null;

  constructor(entry: Entry, parts: Parts<E>, onDoubt: () => void) {
    this.entry = entry;
    this.kept = new KeptListeners(parts.options.log);
    this.#parts = parts;
    this.#onDoubt = onDoubt;
    void parts.chrome.exited.then((how) => {
      parts.chrome.kill(); // its other processes; what was stopped would stay until the last of its runs has let go
      this.#tell(how);
      this.retire();
    });
    this.#networkLook = setInterval(() => {
      if (this.#network !== null && !isAlive(this.#network)) this.kill("its network service ended");
    }, NETWORK_LOOK_MS).unref();
  }

  get isRunning(): boolean {
    return !this.#isKilled && this.#parts.chrome.isRunning;
  }

  get takesMore(): boolean {
    return this.isRunning && !this.#isRetired && this.opened < MAX_CONTEXTS;
  }

  /**
   * A context with its tab, for as long as the signal and opening-watch.ts allow. Where it rejects, nothing of it is left but a context that is being closed.
   * @throws TabNotOpened it is broken, or the signal has aborted
   */
  async open(entry: Entry, viewport: Viewport, signal: AbortSignal): Promise<ContextBrowser<E>> {
    const { chrome, session, waysOut, options } = this.#parts;
    const { openEgress, isolation, roster, log } = options;
    this.opened += 1;
    this.#contexts += 1;
    const belongings: AsyncDisposable[] = [];
    try {
      const egress = await openEgress();
      belongings.push(egress);
      const wayOut = waysOut?.open(egress);
      if (wayOut) belongings.push(wayOut);
      const downloads = makeDownloads(join(chrome.folder.downloads, String(entry.n)), isolation.uid);
      belongings.push(downloads);
      const contextOptions: BrowserContextOptions = {
        proxyServer: wayOut?.proxyUrl ?? egress.proxyUrl,
        proxyBypassList: ["<-loopback>"], // as in chrome-args.ts
        downloadBehavior: { policy: "allowAndName", downloadPath: downloads.path },
      };
      const newContext = () => chrome.browser.createBrowserContext(contextOptions);
      belongings.shift(); // the listener goes with its context
      using watch = watchOpening(session, options);
      const limit = AbortSignal.any([signal, watch.broken]);
      const tab = await openTab(this, { browser: chrome.browser, newContext, egress, viewport }, limit).catch((cause: Error) => {
        throw new TabNotOpened(cause.message, { cause });
      });
      entry.version = chrome.version;
      entry.chrome = this.entry;
      const opened = new ContextBrowser(this, {
        ...{ ...tab, entry, egress, viewport, roster, log },
        downloadsDir: downloads.path,
        belongings,
      });
      entry.kill = () => opened.crash("an operator closed its context");
      this.#network ??= memberWith(chrome.pid, NETWORK_SERVICE); // it runs by now
      return opened;
    } catch (error) {
      await closeAll(belongings, log);
      this.left();
      throw error;
    }
  }

  closeContext(context: BrowserContext): Promise<void> {
    return context.close();
  }

  onGone(callback: (gone: Gone) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  onOutdated(callback: () => void): () => void {
    if (this.#isRetired) callback();
    this.#waiting.add(callback);
    return () => this.#waiting.delete(callback);
  }

  /** Silence of some seconds is no hang: the neighbours' health probes tell of one. */
  async doubt(): Promise<void> {
    this.isDoubtful = true;
    this.#onDoubt();
  }

  hung(): void {
    this.kill("it stopped answering");
  }

  left(): void {
    this.#contexts -= 1;
    if (this.#isRetired && this.#contexts === 0) void this[Symbol.asyncDispose]();
  }

  /** Takes no more; ends when the last run in it is over. */
  retire(): void {
    this.#isRetired = true;
    this.entry.isRetired = true;
    for (const callback of [...this.#waiting]) callback();
    if (this.#contexts === 0) void this[Symbol.asyncDispose]();
  }

  /** Ends it in this tick, and every run in it as by a crash. */
  kill(how: string): void {
    this.#isKilled = true;
    this.#tell(how);
    this.#parts.chrome.kill();
    this.retire();
  }

  /** Only the first counts, with each of its runs. */
  #tell(how: string): void {
    for (const tell of this.#listeners) tell({ what: "browser_exit", how });
  }

  /** Idempotent, never rejects. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const { chrome, ground, waysOut, options } = this.#parts;
    this.#isRetired = true;
    clearInterval(this.#networkLook);
    options.roster.move(this.entry, "closing");
    const log = options.log.with({ browser_id: options.roster.id(this.entry) });
    await closeAll([chrome, this.kept, ...(waysOut ? [waysOut] : []), ground], log);
    options.roster.remove(this.entry);
    this.#ended.resolve();
  }
}

/**
 * Launches one. Its default context, which no run gets, and all that Chrome does on its own account have a way out that is refused everything.
 * @throws SETUP_FAILED, or the signal's reason; nothing is left then
 */
export async function openSharedChrome<E extends Egress>(
  options: SharedChromeOptions<E>,
  { viewport, onDoubt, signal }: { viewport: Viewport; onDoubt: () => void; signal: AbortSignal },
): Promise<SharedChrome<E>> {
  const { executable, isolation, networks, profiles, roster, log } = options;
  const entry = roster.add("process");
  const opened: AsyncDisposable[] = [];
  try {
    const ground = await options.openEgress();
    opened.unshift(ground);
    const waysOut = isolation.tier === "netns" ? new WaysOut(ground) : null;
    if (waysOut) opened.unshift(waysOut);
    const egress = { proxyUrl: ground.proxyUrl, take: (socket: Socket) => (waysOut ?? ground).take(socket) };
    const folderPath = join(openFolderRoot(options.folderCandidates, isolation.uid), `${options.bootPrefix}-${entry.n}`);
    const chrome = await launchChrome({ executable, isolation, networks, profiles, folderPath, egress, isShared: true, viewport }, signal);
    opened.unshift(chrome);
    const session = await withDeadline(SESSION_LIMIT_MS, () => chrome.browser.target().createCDPSession(), {
      signal,
      reason: () => new AppError("SETUP_FAILED", "Chrome started and then did not answer"),
    });
    entry.pid = chrome.pid;
    entry.version = chrome.version;
    const shared = new SharedChrome(entry, { chrome, session, ground, waysOut, options }, onDoubt);
    entry.kill = () => shared.kill("an operator killed it");
    roster.move(entry, "warm");
    return shared;
  } catch (error) {
    await closeAll(opened, log);
    roster.remove(entry);
    throw error;
  }
}
