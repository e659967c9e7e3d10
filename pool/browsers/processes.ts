/** Browsers in Chromes of this node: which Chrome, in which tier, where its folders are; then a spare for a run, or a fresh one. */
import { randomBytes } from "node:crypto";
import { withDeadline } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { Log } from "../telemetry/log.ts";
import type { Viewport } from "./chrome-args.ts";
import { requireChrome } from "./find-chrome.ts";
import { folderCandidates, removeFolderRoot, sweepFolders } from "./folder-root.ts";
import { patience } from "./heartbeat.ts";
import type { BrowserSource, Egress, HeldBrowser, SpareBrowser } from "./held-browser.ts";
import { KeptNetworks } from "./kept-networks.ts";
import { loadPerCpu } from "./machine-load.ts";
import { Profiles } from "./memory-profile.ts";
import { openProcessBrowser, type ProcessBrowserOptions } from "./process-browser.ts";
import { askPage } from "./pulse.ts";
import type { Entry, Roster } from "./roster.ts";
import { type Isolation, isolationsToTry, type SandboxSetting } from "./sandbox.ts";
import { SharedChromes } from "./shared-chromes.ts";
import { Spares } from "./spares.ts";

/** Each run has a Chrome process of its own, or a context of its own in one that runs share. */
export type RunIsolation = "process" | "context";

/** A spare that takes longer to say that it lives is put aside: a fresh Chrome is here sooner than its time-out. On a busy machine both take longer. */
const ANSWER_LIMIT_MS = 2_000;

export type ProcessesOptions<E extends Egress> = {
  nodeId: string;
  dataDir: string;
  slots: number;
  warm: number;
  chromePath: string | null;
  sandbox: SandboxSetting;
  isolation?: RunIsolation;
  profileMib: number;
  viewport: Viewport;
  openEgress: () => Promise<E>;
  roster: Roster;
  log: Log;
  loadPerCpu?: () => number;
  spareCheckMs?: number;
  spareMaxAgeMs?: number;
  spareMaxBytes?: number;
  sharedMaxBytes?: number;
};

class OwnBrowsers<E extends Egress> implements BrowserSource<E> {
  readonly tier: string;
  readonly #opener: Opener<E>;
  readonly #spares: Spares<E>;
  readonly #roster: Roster;
  readonly #log: Log;
  readonly #folders: string[];
  readonly #load: () => number;

  constructor(tier: string, opener: Opener<E>, options: ProcessesOptions<E>, first: SpareBrowser<E>, folders: string[]) {
    this.tier = tier;
    this.#folders = folders;
    this.#opener = opener;
    this.#roster = options.roster;
    this.#log = options.log;
    this.#load = options.loadPerCpu ?? loadPerCpu;
    this.#spares = new Spares({
      size: Math.max(options.warm, opener.leastSpares),
      slots: options.slots,
      open: (entry, signal) => opener.open(entry, options.viewport, signal),
      roster: options.roster,
      log: options.log,
      loadPerCpu: options.loadPerCpu,
      checkMs: options.spareCheckMs,
      maxAgeMs: options.spareMaxAgeMs,
      maxBytes: options.spareMaxBytes,
    });
    this.#spares.add(first);
    this.#spares.wake();
  }

  async obtain(runId: string, viewport: Viewport, signal: AbortSignal): Promise<HeldBrowser<E>> {
    const started = this.#spares.starting();
    try {
      return (await this.#takeSpare(runId, viewport, signal)) ?? (await this.#launchFor(runId, viewport, signal));
    } finally {
      started();
    }
  }

  retire(entry: Entry): void {
    if (!this.#opener.retire(entry)) this.#spares.retire(entry);
  }

  wake(): void {
    this.#spares.wake();
  }

  reasons(): string[] {
    return this.#spares.failure === null ? [] : [this.#spares.failure];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spares[Symbol.asyncDispose]();
    await this.#opener[Symbol.asyncDispose]();
    await Promise.all(this.#folders.map(removeFolderRoot));
  }

  async #takeSpare(runId: string, viewport: Viewport, signal: AbortSignal): Promise<SpareBrowser<E> | null> {
    for (let spare = await this.#spares.take(signal); spare !== null; spare = await this.#spares.take(signal)) {
      spare.entry.runId = runId;
      this.#roster.move(spare.entry, "busy");
      try {
        await makeFit(spare, viewport, { signal, limitMs: ANSWER_LIMIT_MS * patience(this.#load()) });
        return spare;
      } catch (error) {
        if (signal.aborted) {
          await spare.end();
          throw signal.reason;
        }
        this.#log.warn("a spare Chrome did not answer; taking another", { pid: spare.entry.pid, error });
        this.#spares.discard(spare);
      }
    }
    return null;
  }

  async #launchFor(runId: string, viewport: Viewport, signal: AbortSignal): Promise<SpareBrowser<E>> {
    const entry = this.#roster.add("process");
    entry.runId = runId;
    try {
      const fresh = await this.#opener.open(entry, viewport, signal);
      this.#spares.noteLaunch(null);
      this.#roster.move(entry, "busy");
      return fresh;
    } catch (error) {
      if (!signal.aborted) this.#spares.noteLaunch(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
}

/** Does it answer, and with the run's viewport? */
async function makeFit<E extends Egress>(
  spare: SpareBrowser<E>,
  viewport: Viewport,
  { signal, limitMs }: { signal: AbortSignal; limitMs: number },
): Promise<void> {
  const isSame = spare.viewport.width === viewport.width && spare.viewport.height === viewport.height;
  await withDeadline(limitMs, () => Promise.all([askPage(spare.pulse.page), isSame ? null : spare.page.setViewport(viewport)]), { signal });
  spare.viewport = viewport;
}

/** Opens browsers in one tier. */
interface Opener<E extends Egress> extends AsyncDisposable {
  /** Below it, nothing would keep a Chrome at hand. */
  readonly leastSpares: number;
  open(entry: Entry, viewport: Viewport, signal: AbortSignal): Promise<SpareBrowser<E>>;
  /** Replaces a Chrome that runs share when they are over; false: it is none. */
  retire(entry: Entry): boolean;
}

function openerOf<E extends Egress>(options: ProcessesOptions<E>, chrome: ProcessBrowserOptions<E>): Opener<E> {
  if (options.isolation !== "context") {
    return {
      leastSpares: 0,
      open: (entry, viewport, signal) => openProcessBrowser(chrome, entry, viewport, signal),
      retire: () => false,
      [Symbol.asyncDispose]: async () => chrome.networks[Symbol.dispose](),
    };
  }
  const { viewport, loadPerCpu, spareCheckMs, spareMaxAgeMs, spareMaxBytes, sharedMaxBytes } = options;
  const limits = { checkMs: spareCheckMs, maxAgeMs: spareMaxAgeMs, maxIdleBytes: spareMaxBytes, maxBytes: sharedMaxBytes };
  const shared = new SharedChromes({ ...chrome, viewport, loadPerCpu, ...limits });
  return {
    leastSpares: 1,
    open: (entry, viewport, signal) => shared.open(entry, viewport, signal),
    retire: (entry) => shared.retire(entry),
    [Symbol.asyncDispose]: async () => {
      await shared[Symbol.asyncDispose]();
      chrome.networks[Symbol.dispose]();
    },
  };
}

/**
 * Sweeps what an earlier process left, then launches the first Chrome: it shows whether Chrome works here and in which tier, and
 * becomes the first spare, or holds it.
 * @throws SETUP_FAILED there is no Chrome, it does not start, or not in the tier that is required
 */
export async function openProcesses<E extends Egress>(options: ProcessesOptions<E>): Promise<BrowserSource<E>> {
  const { roster, log, openEgress } = options;
  const executable = await requireChrome(options.chromePath);
  const folders = folderCandidates(options.dataDir, options.nodeId);
  await sweepFolders(folders, log);

  if (process.pid === 1) {
    log.warn("this node is process 1 and buries no orphans: Chrome's would stay as zombies. Run it under an init, as `docker run --init`");
  }

  const bootPrefix = randomBytes(3).toString("hex");
  const isolations = isolationsToTry(options.sandbox, process.getuid?.() ?? null);
  const profiles = new Profiles(options.profileMib, log);
  let failure: unknown;
  for (const isolation of isolations) {
    const networks = new KeptNetworks(2 * (options.slots + options.warm), log); // of some, the dead are not buried yet
    const opener = openerOf(options, {
      executable,
      isolation,
      folderCandidates: folders,
      bootPrefix,
      openEgress,
      networks,
      profiles,
      roster,
      log,
    });
    try {
      const first = await opener.open(roster.add("process"), options.viewport, new AbortController().signal);
      log.info("Chrome works", { executable, version: first.version, tier: isolation.tier, uid: isolation.uid });
      return new OwnBrowsers(isolation.tier, opener, options, first, folders);
    } catch (error) {
      failure = error;
      await opener[Symbol.asyncDispose]();
      if (isolations.length > 1) log.warn("Chrome does not start in this tier", { tier: isolation.tier, uid: isolation.uid, error });
    }
  }
  throw options.sandbox === "required" ? withoutSandbox(failure, isolations) : failure;
}

function withoutSandbox(cause: unknown, [isolation]: Isolation[]): AppError {
  const who = isolation?.uid === null ? "this user" : `user ${isolation?.uid}`;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new AppError(
    "SETUP_FAILED",
    `Chrome does not start with its sandbox as ${who}, and CHROME_SANDBOX is "required". Allow user namespaces on this machine ` +
      `(in Docker: a seccomp profile with them), or set CHROME_SANDBOX=auto to go without. ${message}`,
    { cause, details: cause instanceof AppError ? { ...cause.details } : {} },
  );
}
