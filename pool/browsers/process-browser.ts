/** A Chrome process with its egress listener: opened together, ended together. */
import { join } from "node:path";
import { withDeadline } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { Log } from "../telemetry/log.ts";
import type { Viewport } from "./chrome-args.ts";
import { type ChromeProcess, launchChrome } from "./chrome-process.ts";
import { closeAll } from "./close-all.ts";
import { openFolderRoot } from "./folder-root.ts";
import type { Egress, Gone, SpareBrowser } from "./held-browser.ts";
import type { KeptNetworks } from "./kept-networks.ts";
import type { Profiles } from "./memory-profile.ts";
import { openPulse, type Pulse } from "./pulse.ts";
import type { Entry, Roster } from "./roster.ts";
import type { Isolation } from "./sandbox.ts";

export type ProcessBrowserOptions<E extends Egress> = {
  executable: string;
  isolation: Isolation;
  /** See folder-root.ts. */
  folderCandidates: string[];
  /** Makes the folders of this boot differ from those of every other. */
  bootPrefix: string;
  openEgress: () => Promise<E>;
  networks: KeptNetworks;
  profiles: Profiles;
  roster: Roster;
  log: Log;
};

class ProcessBrowser<E extends Egress> implements SpareBrowser<E> {
  readonly entry: Entry;
  readonly egress: E;
  readonly pulse: Pulse;
  readonly gone: Promise<Gone>;
  viewport: Viewport;
  readonly #chrome: ChromeProcess;
  readonly #roster: Roster;
  readonly #log: Log;
  #ending: Promise<void> | null = null;

  constructor(chrome: ChromeProcess, opened: { entry: Entry; egress: E; pulse: Pulse; viewport: Viewport; roster: Roster; log: Log }) {
    this.#chrome = chrome;
    this.entry = opened.entry;
    this.egress = opened.egress;
    this.pulse = opened.pulse;
    this.viewport = opened.viewport;
    this.#roster = opened.roster;
    this.#log = opened.log;
    this.gone = chrome.exited.then((how) => ({ what: "browser_exit", how }));
  }

  get browser() {
    return this.#chrome.browser;
  }
  get page() {
    return this.#chrome.page;
  }
  get version() {
    return this.#chrome.version;
  }
  get downloadsDir() {
    return this.#chrome.folder.downloads;
  }
  get isRunning() {
    return this.#chrome.isRunning;
  }

  kill(): void {
    this.egress.cut();
    this.#chrome.kill(); // whoever waits for it hears that it is gone, as after a crash
  }

  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.egress.cut();
    this.#roster.move(this.entry, "closing");
    await closeAll([this.#chrome, this.egress], this.#log.with({ browser_id: this.#roster.id(this.entry) }));
    this.#roster.remove(this.entry);
  }
}

export type { ProcessBrowser };

/** Chrome has just answered; from one that hangs now nothing more will come. */
const PULSE_LIMIT_MS = 10_000;

/** @throws SETUP_FAILED, or the signal's reason; nothing is left then, the entry is off the roster. */
export async function openProcessBrowser<E extends Egress>(
  options: ProcessBrowserOptions<E>,
  entry: Entry,
  viewport: Viewport,
  signal: AbortSignal,
): Promise<ProcessBrowser<E>> {
  const { executable, isolation, networks, profiles, roster, log } = options;
  const opened: AsyncDisposable[] = [];
  try {
    const egress = await options.openEgress();
    opened.unshift(egress);
    const folderPath = join(openFolderRoot(options.folderCandidates, isolation.uid), `${options.bootPrefix}-${entry.n}`);
    const chrome = await launchChrome({ executable, isolation, networks, profiles, folderPath, egress, viewport }, signal);
    opened.unshift(chrome);
    const pulse = await withDeadline(PULSE_LIMIT_MS, (limit) => openPulse(chrome.browser, chrome.page, limit), {
      signal,
      reason: () => new AppError("SETUP_FAILED", "Chrome started and then did not answer"),
    });
    entry.pid = chrome.pid;
    entry.version = chrome.version;
    const held = new ProcessBrowser(chrome, { entry, egress, pulse, viewport, roster, log });
    entry.kill = () => held.kill();
    return held;
  } catch (error) {
    await closeAll(opened, log);
    roster.remove(entry);
    throw error;
  }
}
