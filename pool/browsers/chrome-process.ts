/** One Chrome process: started into a group and a folder of its own, and ended so that neither outlives it. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { type Browser, connect, type Page } from "puppeteer-core";
import { pause, untilAborted, withDeadline } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import { type BrowserFolder, makeFolder, removeFolder, writeRecord } from "./browser-folder.ts";
import { chromeArgs, hostOf, type Viewport } from "./chrome-args.ts";
import { whyOutOfReach } from "./closed-folder.ts";
import type { Egress } from "./held-browser.ts";
import { inOwnNetwork, OWN_NETWORK_HOSTS, OWN_NETWORK_PROXY_URL, takeWayOut } from "./own-network.ts";
import { openPipe } from "./pipe-transport.ts";
import { groupExists, groupMembers, identify, isAlive, killGroup } from "./process-identity.ts";
import type { Isolation } from "./sandbox.ts";

const LAUNCH_LIMIT_MS = 20_000;
/** A killed process may still be busy in the kernel. */
const GONE_LIMIT_MS = 1_000;
/** As a rule all of it is gone by then, and buried. */
const BURIED_MS = 50;
const STDERR_CHARS = 2_000;
const LAST_WORDS_MS = 500;
/** Its pipe may break that much before its end is known. */
const DYING_MS = 100;

export type LaunchOptions = {
  executable: string;
  isolation: Isolation;
  /** A path that does not exist yet; see folder-root.ts. */
  folderPath: string;
  egress: Pick<Egress, "proxyUrl" | "takeFrom">;
  /** Are there ways out for contexts beside that one? */
  isShared?: boolean;
  viewport: Viewport;
};

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
  #ending: Promise<void> | null = null;

  constructor(group: ProcessGroup, folder: BrowserFolder, opened: { browser: Browser; page: Page; version: string }) {
    this.pid = group.pid;
    this.exited = group.exited;
    this.folder = folder;
    this.browser = opened.browser;
    this.page = opened.page;
    this.version = opened.version;
    this.#group = group;
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
    await removeFolder(this.folder.path);
  }
}

/** The operating system's side of a Chrome: one process group, of which the browser process is the leader. */
class ProcessGroup {
  readonly pid: number;
  readonly exited: Promise<string>;
  isRunning = true;
  #isGone = false;

  constructor(child: ChildProcess & { pid: number }) {
    this.pid = child.pid;
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.isRunning = false;
        resolve(signal ?? `exit code ${code}`);
      });
    });
  }

  /** false: there was nothing left to kill. Once it is gone its number may be somebody else's. */
  kill(): boolean {
    return !this.#isGone && killGroup(this.pid);
  }

  /** Kills what is left of it, and waits for its end. Whoever adopts the dead may take their time to bury them: that is not ours to wait for. */
  async gone(): Promise<void> {
    const killedAt = performance.now();
    let isThere = this.kill();
    while (isThere && performance.now() < killedAt + BURIED_MS) {
      await pause(2);
      isThere = groupExists(this.pid);
    }
    const members = isThere ? groupMembers(this.pid) : []; // a look at every process of the machine, seldom needed
    while (members.some(isAlive) && performance.now() < killedAt + GONE_LIMIT_MS) await pause(2);
    this.#isGone = true;
  }
}

/**
 * Starts a Chrome and waits until its tab can be driven. When it rejects, nothing of it is left.
 * @throws SETUP_FAILED Chrome did not start; `details.stderr` has its last words. Or the signal's reason.
 */
export async function launchChrome(options: LaunchOptions, signal: AbortSignal): Promise<ChromeProcess> {
  signal.throwIfAborted();
  const folder = makeFolder(options.folderPath, options.isolation.uid);
  let group: ProcessGroup | null = null;
  let lastWords = async () => "";
  try {
    const child = await spawnChrome(options, folder);
    group = new ProcessGroup(child);
    lastWords = keepLastWords(child.stderr as Readable);
    const died = group.exited.then((how) => Promise.reject(new Error(`Chrome ended (${how})`)));
    died.catch(() => {}); // heard by the race below, or of no interest any more
    const opened = await withDeadline(LAUNCH_LIMIT_MS, (limit) => Promise.race([openTab(child, folder.downloads, options, limit), died]), {
      signal,
      reason: () => new Error(`Chrome was not ready within ${LAUNCH_LIMIT_MS / 1000} s`),
    });
    writeRecord(folder, identify(child.pid)); // again: a wrapper script has become Chrome by now
    return new ChromeProcess(group, folder, opened);
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

async function spawnChrome(options: LaunchOptions, folder: BrowserFolder): Promise<ChildProcess & { pid: number }> {
  const { executable, isolation, egress, isShared = false, viewport } = options;
  const apart = isolation.tier === "netns";
  const proxyUrl = apart ? OWN_NETWORK_PROXY_URL : egress.proxyUrl;
  const sandbox = isolation.tier !== "no-sandbox";
  const shared = isShared ? { proxyHosts: apart ? OWN_NETWORK_HOSTS : hostOf(proxyUrl) } : undefined;
  const chrome = chromeArgs({ profileDir: folder.profile, proxyUrl, shared, sandbox, viewport });
  const ids = { uid: isolation.uid ?? process.getuid?.() ?? 0, gid: isolation.uid ?? process.getgid?.() ?? 0 };
  const { command, args } = apart ? inOwnNetwork(executable, chrome, ids) : { command: executable, args: chrome };
  using node = apart ? openForReading(process.execPath) : null;
  const child = spawn(command, args, {
    cwd: folder.tmp,
    detached: true, // a group of its own
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", ...(node === null ? [] : ["ipc" as const, node.fd])],
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

function openForReading(path: string): Disposable & { fd: number } {
  const fd = openSync(path, "r");
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

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

async function openTab(child: ChildProcess, downloads: string, { isolation, egress, viewport }: LaunchOptions, signal: AbortSignal) {
  if (isolation.tier === "netns") egress.takeFrom(await takeWayOut(child, signal));
  const transport = openPipe(child.stdio[3] as Writable, child.stdio[4] as Readable);
  const browser = await connect({
    transport,
    defaultViewport: null, // set on each page by who drives it; puppeteer would wait for it on every popup
    issuesEnabled: false, // the Issues tab of DevTools, work for each request
    downloadBehavior: { policy: "allowAndName", downloadPath: downloads }, // named by us, never by the server
  });
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
