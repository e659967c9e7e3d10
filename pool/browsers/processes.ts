/** Chrome processes of this node: which Chrome, in which tier, where its folders are; then a spare for a run, or a fresh one. */
import { randomBytes } from "node:crypto";
import { withDeadline } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { Log } from "../telemetry/log.ts";
import type { Viewport } from "./chrome-args.ts";
import { requireChrome } from "./find-chrome.ts";
import { folderCandidates, removeFolderRoot, sweepFolders } from "./folder-root.ts";
import type { BrowserSource, Egress, HeldBrowser } from "./held-browser.ts";
import { openProcessBrowser, type ProcessBrowser } from "./process-browser.ts";
import { askPage } from "./pulse.ts";
import type { Entry, Roster } from "./roster.ts";
import { type Isolation, isolationsToTry, type SandboxSetting } from "./sandbox.ts";
import { Spares } from "./spares.ts";

/** A spare that takes longer to say that it lives is put aside: a fresh Chrome is here sooner than its time-out. */
const ANSWER_LIMIT_MS = 2_000;

export type ProcessesOptions<E extends Egress> = {
  nodeId: string;
  dataDir: string;
  slots: number;
  warm: number;
  chromePath: string | null;
  sandbox: SandboxSetting;
  viewport: Viewport;
  openEgress: () => Promise<E>;
  roster: Roster;
  log: Log;
  loadPerCpu?: () => number;
  spareCheckMs?: number;
  spareMaxAgeMs?: number;
  spareMaxBytes?: number;
};

class Processes<E extends Egress> implements BrowserSource<E> {
  readonly tier: string;
  readonly #open: OpenBrowser<E>;
  readonly #spares: Spares<E>;
  readonly #roster: Roster;
  readonly #log: Log;
  readonly #folders: string[];

  constructor(tier: string, open: OpenBrowser<E>, options: ProcessesOptions<E>, first: ProcessBrowser<E>, folders: string[]) {
    this.tier = tier;
    this.#folders = folders;
    this.#open = open;
    this.#roster = options.roster;
    this.#log = options.log;
    this.#spares = new Spares({
      size: options.warm,
      slots: options.slots,
      open: (entry, signal) => open(entry, options.viewport, signal),
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
    this.#spares.retire(entry);
  }

  wake(): void {
    this.#spares.wake();
  }

  reasons(): string[] {
    return this.#spares.failure === null ? [] : [this.#spares.failure];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spares[Symbol.asyncDispose]();
    await Promise.all(this.#folders.map(removeFolderRoot));
  }

  async #takeSpare(runId: string, viewport: Viewport, signal: AbortSignal): Promise<ProcessBrowser<E> | null> {
    for (let spare = await this.#spares.take(signal); spare !== null; spare = await this.#spares.take(signal)) {
      spare.entry.runId = runId;
      this.#roster.move(spare.entry, "busy");
      try {
        await makeFit(spare, viewport, signal);
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

  async #launchFor(runId: string, viewport: Viewport, signal: AbortSignal): Promise<ProcessBrowser<E>> {
    const entry = this.#roster.add("process");
    entry.runId = runId;
    try {
      const fresh = await this.#open(entry, viewport, signal);
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
async function makeFit<E extends Egress>(spare: ProcessBrowser<E>, viewport: Viewport, signal: AbortSignal): Promise<void> {
  const isSame = spare.viewport.width === viewport.width && spare.viewport.height === viewport.height;
  await withDeadline(ANSWER_LIMIT_MS, () => Promise.all([askPage(spare.pulse.page), isSame ? null : spare.page.setViewport(viewport)]), {
    signal,
  });
  spare.viewport = viewport;
}

type OpenBrowser<E extends Egress> = (entry: Entry, viewport: Viewport, signal: AbortSignal) => Promise<ProcessBrowser<E>>;

/**
 * Sweeps what an earlier process left, then launches the first Chrome: it shows whether Chrome works here and in which tier, and
 * becomes the first spare.
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
  let failure: unknown;
  for (const isolation of isolations) {
    const open: OpenBrowser<E> = (entry, viewport, signal) =>
      openProcessBrowser(
        { executable, isolation, folderCandidates: folders, bootPrefix, openEgress, roster, log },
        entry,
        viewport,
        signal,
      );
    try {
      const first = await open(roster.add("process"), options.viewport, new AbortController().signal);
      log.info("Chrome works", { executable, version: first.version, tier: isolation.tier, uid: isolation.uid });
      return new Processes(isolation.tier, open, options, first, folders);
    } catch (error) {
      failure = error;
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
