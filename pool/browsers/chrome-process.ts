/** One Chrome process: started into a group and a folder of its own, and ended so that neither outlives it. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { type Browser, connect, type Page } from "puppeteer-core";
import { pause, untilAborted, withDeadline } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import { type BrowserFolder, makeFolder, removeFolder, writeRecord } from "./browser-folder.ts";
import { chromeArgs, hostOf, type Viewport } from "./chrome-args.ts";
import { whyOutOfReach } from "./closed-folder.ts";
import type { Egress } from "./held-browser.ts";
import type { KeptNetworks } from "./kept-networks.ts";
import type { Profiles } from "./memory-profile.ts";
import { inNewNetwork, OWN_NETWORK_HOSTS, OWN_NETWORK_PROXY_URL, type OwnNetwork, type Start, takeNetwork } from "./own-network.ts";
import { openPipe } from "./pipe-transport.ts";
import { ProcessGroup } from "./process-group.ts";
import { identify } from "./process-identity.ts";
import type { Isolation } from "./sandbox.ts";

const LAUNCH_LIMIT_MS = 20_000;
const STDERR_CHARS = 2_000;
const LAST_WORDS_MS = 500;
/** Its pipe may break that much before its end is known. */
const DYING_MS = 100;

export type LaunchOptions = {
  executable: string;
  isolation: Isolation;
  /** A path that does not exist yet; see folder-root.ts. */
  folderPath: string;
  egress: Pick<Egress, "proxyUrl" | "take">;
  /** Where its network is from and goes to, in the tier that has one. */
  networks: KeptNetworks;
  /** Where its profile is, in that tier; on disk in the others. */
  profiles: Profiles;
  /** Are there ways out for contexts beside that one? */
  isShared?: boolean;
  viewport: Viewport;
};

type Opened = { browser: Browser; page: Page; version: string };

/** null: not there yet, or it has none of its own. */
type Own = { network: OwnNetwork | null };

/** It has not ended; it is slow, or hangs. */
class NotReady extends Error {
  override readonly name = "NotReady";
}

/** A running Chrome with its one tab. Dispose it, or it stays until this process ends. */
export class ChromeProcess implements AsyncDisposable {
  readonly pid: number;
  readonly folder: BrowserFolder;
  readonly browser: Browser;
  readonly page: Page;
  /** e.g. `Chrome/156.0.8078.79` */
  readonly version: string;
  /** Resolves when the browser process is gone, with how it went: `exit code 0`, `SIGKILL`. */
  readonly exited: Promise<string>;
  readonly #group: ProcessGroup;
  readonly #leave: () => void;
  #ending: Promise<void> | null = null;

  /** @param leave gives back what it ran in, once it is gone */
  constructor(group: ProcessGroup, folder: BrowserFolder, opened: Opened, leave: () => void) {
    this.pid = group.pid;
    this.exited = group.exited;
    this.folder = folder;
    this.browser = opened.browser;
    this.page = opened.page;
    this.version = opened.version;
    this.#group = group;
    this.#leave = leave;
  }

  get isRunning(): boolean {
    return this.#group.isRunning && this.browser.connected;
  }

  /** Ends it at once; the folder stays until it is disposed. */
  kill(): void {
    this.#group.kill();
  }

  /**
   * Kills its whole group, waits until all of it is gone, then removes the folder. It is not asked to close first: a Chrome that is used
   * once has nothing to save, closing costs 100 ms of CPU more, a hung one never closes, and a stopped renderer outlives a close.
   * Idempotent. Rejects only when the folder could not be removed; the next boot's sweep then does it.
   */
  [Symbol.asyncDispose](): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    await this.#group.gone();
    this.#leave();
    await removeFolder(this.folder.path);
  }
}

/**
 * Starts a Chrome and waits until its tab can be driven. When it rejects, nothing of it is left.
 * @throws SETUP_FAILED Chrome did not start; `details.stderr` has its last words. Or the signal's reason.
 */
export async function launchChrome(options: LaunchOptions, signal: AbortSignal): Promise<ChromeProcess> {
  const { isolation, networks } = options;
  const kept = isolation.tier === "netns" ? networks.take() : null;
  if (kept === null) return await launchIn(null, options, signal);
  try {
    const chrome = await launchIn(kept, options, signal);
    networks.wasEntered();
    return chrome;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof AppError) || error.cause instanceof NotReady) throw error; // that is not the network's fault
    networks.wasRefused(error);
    return await launchIn(null, options, signal); // what is wrong with Chrome itself shows again
  }
}

/** @param kept the network to enter, which is closed where Chrome does not start; null: a new one, in the tier that has one */
async function launchIn(kept: OwnNetwork | null, options: LaunchOptions, signal: AbortSignal): Promise<ChromeProcess> {
  using stays = new DisposableStack();
  const own: Own = { network: kept };
  stays.defer(() => own.network?.[Symbol.dispose]());
  const over = new AbortController();
  stays.defer(() => over.abort()); // a network that is handed over later is nobody's
  signal.throwIfAborted();
  const folder = makeFolder(options.folderPath, options.isolation.uid);
  let group: ProcessGroup | null = null;
  let lastWords = async () => "";
  try {
    const child = await spawnChrome(kept, options, folder);
    group = new ProcessGroup(child);
    lastWords = keepLastWords(child.stderr as Readable);
    const died = group.exited.then((how) => Promise.reject(new Error(`Chrome ended (${how})`)));
    died.catch(() => {}); // heard by the race below, or of no interest any more
    const opened = await withDeadline(
      LAUNCH_LIMIT_MS,
      (limit) => Promise.race([openTab(child, folder.downloads, own, options, AbortSignal.any([limit, over.signal])), died]),
      {
        signal,
        reason: () => new NotReady(`Chrome was not ready within ${LAUNCH_LIMIT_MS / 1000} s`),
      },
    );
    writeRecord(folder, identify(child.pid)); // again: a wrapper script has become Chrome by now
    if (options.isolation.tier === "netns") options.profiles.wasStarted(folder);
    stays.move();
    return new ChromeProcess(group, folder, opened, () => own.network && options.networks.keep(own.network, child.pid));
  } catch (cause) {
    const how = signal.aborted ? null : await Promise.race([group?.exited ?? null, pause(DYING_MS).then(() => null)]);
    await group?.gone();
    await removeFolder(folder.path);
    signal.throwIfAborted();
    const { uid } = options.isolation;
    const closed = uid === null ? null : whyOutOfReach(options.executable, uid);
    if (closed !== null) throw new AppError("SETUP_FAILED", `Cannot start Chrome (${options.executable}): ${closed}`, { cause });
    const reason = how !== null ? `Chrome ended (${how})` : cause instanceof Error ? cause.message : String(cause);
    const stderr = await lastWords();
    throw new AppError("SETUP_FAILED", `Cannot start Chrome (${options.executable}): ${reason}${stderr && `. It said: ${stderr}`}`, {
      cause,
      details: { stderr },
    });
  }
}

async function spawnChrome(
  kept: OwnNetwork | null,
  options: LaunchOptions,
  folder: BrowserFolder,
): Promise<ChildProcess & { pid: number }> {
  const { executable, isolation, egress, profiles, isShared = false, viewport } = options;
  const apart = isolation.tier === "netns";
  const proxyUrl = apart ? OWN_NETWORK_PROXY_URL : egress.proxyUrl;
  const sandbox = isolation.tier !== "no-sandbox";
  const shared = isShared ? { proxyHosts: apart ? OWN_NETWORK_HOSTS : hostOf(proxyUrl) } : undefined;
  const args = chromeArgs({ profileDir: folder.profile, proxyUrl, shared, sandbox, viewport });
  const ids = { uid: isolation.uid ?? process.getuid?.() ?? 0, gid: isolation.uid ?? process.getgid?.() ?? 0 };
  const inside = { executable, args, ids, profile: { path: folder.profile, mib: profiles.mib } };
  using start = !apart ? asItIs(executable, args) : kept === null ? inNewNetwork(inside) : kept.again(inside);
  const child = spawn(start.command, start.args, {
    cwd: folder.tmp,
    detached: true, // a group of its own
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", ...start.handed],
    env: chromeEnvironment(folder),
    ...(isolation.uid === null ? {} : { uid: isolation.uid, gid: isolation.uid }), // drops the supplementary groups too
  });
  if (child.pid === undefined) {
    const error = await new Promise<Error>((resolve) => child.once("error", resolve));
    throw error;
  }
  writeRecord(folder, identify(child.pid));
  return child as ChildProcess & { pid: number };
}

const asItIs = (command: string, args: string[]): Start => ({ command, args, handed: [], [Symbol.dispose]() {} });

/** Nothing of our own environment: it holds tokens and keys. */
function chromeEnvironment({ tmp, home }: BrowserFolder): Record<string, string> {
  const passed = ["PATH", "TZ", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "FONTCONFIG_FILE"].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...Object.fromEntries(passed),
    LANG: "C.UTF-8",
    HOME: home,
    TMPDIR: tmp, // without it Chrome leaves org.chromium.* in the system's temporary directory
    XDG_CONFIG_HOME: home,
    XDG_CACHE_HOME: home,
    XDG_RUNTIME_DIR: tmp,
    GSETTINGS_BACKEND: "memory", // no desktop settings, which would be a file more
    DBUS_SESSION_BUS_ADDRESS: "disabled:", // it would wait for a desktop's bus
  };
}

async function openTab(
  child: ChildProcess,
  downloads: string,
  own: Own,
  { isolation, egress, viewport }: LaunchOptions,
  signal: AbortSignal,
): Promise<Opened> {
  if (isolation.tier === "netns") own.network ??= await takeNetwork(child, signal);
  const transport = openPipe(child.stdio[3] as Writable, child.stdio[4] as Readable);
  const browser = await connect({
    transport,
    defaultViewport: null, // set on each page by who drives it; puppeteer would wait for it on every popup
    issuesEnabled: false, // the Issues tab of DevTools, work for each request
    downloadBehavior: { policy: "allowAndName", downloadPath: downloads }, // named by us, never by the server
  });
  own.network?.giveTo(egress); // Chrome answered: the network it runs in had nothing in it but Chrome
  const target = await browser.waitForTarget((each) => each.type() === "page", { signal, timeout: 0 });
  const page = await untilAborted(target.page(), signal);
  if (page === null) throw new Error("its tab closed");
  const [version] = await untilAborted(Promise.all([browser.version(), page.setViewport(viewport)]), signal);
  return { browser, page, version };
}

/** Reads stderr for ever, so that Chrome never blocks on it, and keeps its end. To be asked once its process is gone: what it said last may still be on its way. */
function keepLastWords(stderr: Readable): () => Promise<string> {
  let text = "";
  const keep = (chunk: string) => {
    text = (text + chunk).slice(-STDERR_CHARS);
  };
  stderr.setEncoding("utf8").on("data", keep);
  const said = new Promise<void>((resolve) => void stderr.once("close", resolve));
  return async () => {
    await Promise.race([said, pause(LAST_WORDS_MS)]);
    return text.trim();
  };
}
