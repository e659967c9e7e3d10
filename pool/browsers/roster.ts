/** Every browser of this node, from the moment it is asked for until it is gone. */
import { AppError } from "../../shared/errors.ts";
import { formatBrowserId } from "../../shared/ids.ts";
import type { BrowserInfo } from "../../shared/node.ts";
import type { Log } from "../telemetry/log.ts";

export type Entry = {
  readonly n: number;
  readonly kind: BrowserInfo["kind"];
  readonly startedAt: Date;
  readonly state: BrowserInfo["state"];
  runId: string | null;
  pid: number | null;
  version: string | null;
  recycleRequested: boolean;
  /** A shared Chrome that takes no more contexts: it ends with the last of its runs. */
  isRetired: boolean;
  /** The shared Chrome that it is a context of, itself an entry; null: it has a Chrome of its own, or is one. */
  chrome: Entry | null;
  /** Ends it in this tick, as a crash would; null: it is not there yet, or not this node's to end. */
  kill: (() => void) | null;
};

/** What may follow what. A browser is used once: nothing leads back. */
const TRANSITIONS: Record<Entry["state"], readonly Entry["state"][]> = {
  starting: ["warm", "busy", "closing"],
  warm: ["busy", "closing"],
  busy: ["closing"],
  closing: [],
};

export class Roster {
  readonly #entries = new Map<number, Entry>();
  readonly #nodeId: string;
  readonly #log: Log;
  #last = 0;

  constructor(nodeId: string, log: Log) {
    this.#nodeId = nodeId;
    this.#log = log;
  }

  /** The next number is never one that was used before in this process. */
  add(kind: Entry["kind"]): Entry {
    this.#last += 1;
    const entry: Entry = {
      n: this.#last,
      kind,
      startedAt: new Date(),
      state: "starting",
      runId: null,
      pid: null,
      version: null,
      recycleRequested: false,
      isRetired: false,
      chrome: null,
      kill: null,
    };
    this.#entries.set(entry.n, entry);
    return entry;
  }

  /** The one place that changes a browser's state. */
  move(entry: Entry, to: Entry["state"]): void {
    if (!TRANSITIONS[entry.state].includes(to)) throw new AppError("INTERNAL", `A ${entry.state} browser cannot become ${to}`);
    this.#log.debug("browser", { browser_id: this.id(entry), from: entry.state, to, run_id: entry.runId });
    (entry as { state: Entry["state"] }).state = to;
  }

  remove(entry: Entry): void {
    this.#entries.delete(entry.n);
  }

  id(entry: Entry): string {
    return formatBrowserId(this.#nodeId, entry.n);
  }

  /** Of those that a run has or may take. A shared Chrome counts only while it has no context: never fewer than Chromes. */
  count(state: Entry["state"]): number {
    const all = [...this.#entries.values()];
    const shared = new Set(all.map(({ chrome }) => chrome));
    return all.filter((entry) => entry.state === state && !shared.has(entry)).length;
  }

  /** @throws NOT_FOUND it never was, or is gone */
  get(n: number): Entry {
    const entry = this.#entries.get(n);
    if (entry === undefined) throw new AppError("NOT_FOUND", `No browser has the number ${n} on this node`);
    return entry;
  }

  list(): BrowserInfo[] {
    return [...this.#entries.values()].map((entry) => this.info(entry));
  }

  info(entry: Entry): BrowserInfo {
    return {
      browser_id: this.id(entry),
      node_id: this.#nodeId,
      state: this.#shownState(entry),
      kind: entry.kind,
      run_id: entry.runId,
      pid: entry.pid,
      version: entry.version,
      started_at: entry.startedAt.toISOString(),
      recycle_requested: entry.recycleRequested,
      age_s: Math.max(0, (Date.now() - entry.startedAt.getTime()) / 1000),
      memory_bytes: null, // measured where it is asked for
      cpu_s: null,
      ...(entry.chrome && { chrome_id: this.id(entry.chrome) }),
      ...(entry.isRetired && { retired: true }),
    };
  }

  /** Does a run have a context of this shared Chrome? */
  isInUse(entry: Entry): boolean {
    return [...this.#entries.values()].some((each) => each.chrome === entry && each.state === "busy");
  }

  #shownState(entry: Entry): Entry["state"] {
    return entry.state === "warm" && this.isInUse(entry) ? "busy" : entry.state;
  }
}
