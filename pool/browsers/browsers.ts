/** The browsers of this node: opens them, leases one to each run, tells operators about them. */

import { AppError, validationFailed } from "../../shared/errors.ts";
import type { BrowserInfo } from "../../shared/node.ts";
import type { Log } from "../telemetry/log.ts";
import type { Viewport } from "./chrome-args.ts";
import type { BrowserSource, Egress } from "./held-browser.ts";
import { createLease, type Lease } from "./lease.ts";
import { groupUsage } from "./memory.ts";
import { openProcesses, type RunIsolation } from "./processes.ts";
import { RemoteChromes } from "./remote.ts";
import { NO_EGRESS, remoteIssues } from "./remote-settings.ts";
import { Roster } from "./roster.ts";
import type { SandboxSetting } from "./sandbox.ts";

export type { Egress } from "./held-browser.ts";
export type { Lease } from "./lease.ts";

export type BrowsersOptions<E extends Egress> = {
  nodeId: string;
  dataDir: string;
  /** POOL_SLOTS, POOL_WARM */
  slots: number;
  warm: number;
  /** CHROME_PATH; null: look for it */
  chromePath: string | null;
  /** CHROME_SANDBOX */
  sandbox: SandboxSetting;
  /** POOL_ISOLATION: a Chrome of its own for each run, or a context in one that runs share. */
  isolation?: RunIsolation;
  /** POOL_PROFILE_MB: MiB of memory that the profile of a Chrome may take; 0: it is on disk, as in all tiers but `netns`. */
  profileMib: number;
  /** CHROME_WS_ENDPOINTS; empty: Chrome processes of our own */
  endpoints: string[];
  /** POOL_EGRESS_ADVERTISE. Remote Chromes are refused without; `none` uses them without guardrails on the network. */
  egressAdvertise: string | null;
  /** A spare that is older, or takes more memory, is replaced; 0: however much it takes. Default 30 minutes, 0. */
  spareMaxAgeMs?: number;
  spareMaxBytes?: number;
  /** A shared Chrome that takes more, with all that is in it, is replaced once its runs are over; 0, the default: however much. */
  sharedMaxBytes?: number;
  /** Opens a deny-all listener; for remote Chromes its `proxyUrl` bears the advertised address. */
  openEgress: () => Promise<E>;
  log: Log;
  /** What spares wait with; a run that asks for another gets it as it takes one. Default 1280 × 720. */
  viewport?: Viewport;
  /** For tests: the machine's load, the pace of the health probes (default: a tick a second), and of the look after spares (30 s). */
  loadPerCpu?: () => number;
  healthTickMs?: number;
  spareCheckMs?: number;
};

export interface Browsers<E extends Egress> extends AsyncDisposable {
  /** `netns`, `sandbox`, `no-sandbox` or `remote` */
  readonly tier: string;
  /** How runs are kept apart from each other; with remote Chromes always by contexts. */
  readonly isolation: RunIsolation;
  /**
   * A browser for this run alone. Where it rejects, nothing of it is left.
   * @throws SETUP_FAILED none could be had; or the signal's reason
   */
  lease(runId: string, options: { signal: AbortSignal; viewport: Viewport }): Promise<Lease<E>>;
  list(): BrowserInfo[];
  counts(): { warm: number; busy: number };
  /** Bytes that the Chromes of each state take, whole process trees; remote ones not. */
  memory(): Promise<Record<BrowserInfo["state"], number>>;
  /** Replaces a spare at once, a busy one when its run is over. @throws NOT_FOUND */
  recycle(n: number): Promise<BrowserInfo>;
  /** As `list`, with what each takes of the machine. */
  measured(): Promise<BrowserInfo[]>;
  /** Ends it now, with all its processes: its run ends as by a crash. Of a shared Chrome it is one context, or with all that are in it the whole. @throws NOT_FOUND, CONFLICT for a remote one */
  kill(n: number): BrowserInfo;
  /** Why a run could not get a browser now; empty: it could. */
  ready(): string[];
}

/** Its disposal ends every browser, leased ones too, and waits until they are gone.
 *  @throws SETUP_FAILED no Chrome works here as configured; VALIDATION_FAILED remote ones without egress */
export async function openBrowsers<E extends Egress>(options: BrowsersOptions<E>): Promise<Browsers<E>> {
  const roster = new Roster(options.nodeId, options.log);
  const source =
    options.endpoints.length > 0
      ? await openRemote(options, roster)
      : await openProcesses({ ...options, viewport: options.viewport ?? { width: 1280, height: 720 }, roster });
  return new NodeBrowsers(source, roster, options);
}

async function openRemote<E extends Egress>(options: BrowsersOptions<E>, roster: Roster): Promise<BrowserSource<E>> {
  const { endpoints, egressAdvertise, openEgress, log } = options;
  const issues = remoteIssues(endpoints, egressAdvertise);
  if (issues.length > 0) throw validationFailed("The setting of remote Chromes", issues);
  const useEgress = egressAdvertise !== NO_EGRESS;
  if (!useEgress) log.warn("remote Chromes are used without egress guardrails (POOL_EGRESS_ADVERTISE=none)");
  const remote = new RemoteChromes({ endpoints, useEgress, openEgress, roster, log });
  await remote.connectAll();
  return remote;
}

class NodeBrowsers<E extends Egress> implements Browsers<E> {
  readonly #source: BrowserSource<E>;
  readonly #roster: Roster;
  readonly #options: BrowsersOptions<E>;
  readonly #stop = new AbortController();
  readonly #leases = new Set<Lease<E>>();
  readonly #opening = new Set<Promise<Lease<E>>>();

  constructor(source: BrowserSource<E>, roster: Roster, options: BrowsersOptions<E>) {
    this.#source = source;
    this.#roster = roster;
    this.#options = options;
  }

  get tier(): string {
    return this.#source.tier;
  }

  get isolation(): RunIsolation {
    return this.#options.endpoints.length > 0 ? "context" : (this.#options.isolation ?? "process");
  }

  async lease(runId: string, { signal, viewport }: { signal: AbortSignal; viewport: Viewport }): Promise<Lease<E>> {
    const joined = AbortSignal.any([signal, this.#stop.signal]);
    joined.throwIfAborted();
    const opening = this.#lease(runId, viewport, joined);
    this.#opening.add(opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(opening);
    }
  }

  list(): BrowserInfo[] {
    return this.#roster.list();
  }

  counts(): { warm: number; busy: number } {
    return { warm: this.#roster.count("warm"), busy: this.#roster.count("busy") };
  }

  async memory(): Promise<Record<BrowserInfo["state"], number>> {
    const taken = { starting: 0, warm: 0, busy: 0, closing: 0 };
    const own = this.list().flatMap(({ pid, state }) => (pid === null ? [] : [{ pid, state }]));
    const byGroup = await groupUsage(new Set(own.map(({ pid }) => pid))); // each Chrome leads a group of its own
    for (const { pid, state } of own) taken[state] += byGroup.get(pid)?.bytes ?? 0;
    return taken;
  }

  async measured(): Promise<BrowserInfo[]> {
    const byGroup = await groupUsage(new Set(this.list().flatMap(({ pid }) => pid ?? [])));
    return this.list().map((info) => {
      const usage = info.pid === null ? undefined : byGroup.get(info.pid);
      return usage ? { ...info, memory_bytes: usage.bytes, cpu_s: usage.cpuS } : info;
    });
  }

  kill(n: number): BrowserInfo {
    const entry = this.#roster.get(n);
    if (entry.kill === null) throw new AppError("CONFLICT", "The browser is no process of this node, or not yet; kill its session instead");
    entry.kill();
    return this.#roster.info(entry);
  }

  async recycle(n: number): Promise<BrowserInfo> {
    const entry = this.#roster.get(n);
    if (entry.kind === "remote") throw new AppError("CONFLICT", "The browser is not this node's to replace: whoever runs it does");
    entry.recycleRequested = true;
    this.#source.retire(entry);
    return this.#roster.info(entry);
  }

  ready(): string[] {
    return this.#stop.signal.aborted ? ["browsers are closed"] : this.#source.reasons();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new AppError("RUN_TERMINATED", "The node stops"));
    await Promise.allSettled(this.#opening);
    await Promise.all([...this.#leases].map((lease) => lease[Symbol.asyncDispose]()));
    await this.#source[Symbol.asyncDispose]();
  }

  async #lease(runId: string, viewport: Viewport, signal: AbortSignal): Promise<Lease<E>> {
    const held = await this.#source.obtain(runId, viewport, signal).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : asSetupFailed(error);
    });
    const lease: Lease<E> = createLease(held, {
      browserId: this.#roster.id(held.entry),
      log: this.#options.log.with({ run_id: runId }),
      onEnded: () => {
        this.#leases.delete(lease);
        this.#source.wake();
      },
      health: { tickMs: this.#options.healthTickMs, loadPerCpu: this.#options.loadPerCpu },
    });
    this.#leases.add(lease);
    if (!signal.aborted) return lease;
    await lease[Symbol.asyncDispose](); // aborted in this very moment: the caller is told so, and would never dispose it
    throw signal.reason;
  }
}

/** Whatever it broke on, no file handle left for a listener say: the run could not start. */
function asSetupFailed(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("SETUP_FAILED", `Cannot open a browser: ${error instanceof Error ? error.message : error}`, { cause: error });
}
