/** What a phase could not finish in its limit: durable entries in `DATA_DIR/outbox`, tried again until done. */
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pause } from "../../shared/deadline.ts";
import { isRunId } from "../../shared/ids.ts";
import type { Log } from "../telemetry/log.ts";

export type OutboxKind = "publish" | "persist";
export type OutboxEntry = { kind: OutboxKind; run_id: string; payload: unknown };

const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 30_000;

/** Entries of one run go in order of kind: its status before its artifacts. */
export class Outbox implements AsyncDisposable {
  readonly #dir: string;
  readonly #log: Log;
  readonly #deliver: (entry: OutboxEntry) => Promise<void>;
  readonly #closing = new AbortController();
  #wake: () => void = () => {};
  #loop: Promise<void> = Promise.resolve();
  /** Entries whose failure was told; again and again would fill the log of a long outage. */
  readonly #told = new Set<string>();
  /** Entries that the disk did not take. */
  readonly #unsaved = new Map<string, OutboxEntry>();
  /** Entries that are not delivered, as far as was looked, and who waits for there to be none. */
  readonly #waiting = new Set<string>();
  #onEmptied: (() => void)[] = [];
  /** Runs of which this process still writes what their entries need. */
  readonly #held = new Map<string, Promise<unknown>>();

  private constructor(dir: string, deliver: (entry: OutboxEntry) => Promise<void>, log: Log) {
    this.#dir = dir;
    this.#deliver = deliver;
    this.#log = log;
  }

  /** `deliver` must stand being called again for what it has done already. */
  static async open(dir: string, deliver: (entry: OutboxEntry) => Promise<void>, log: Log): Promise<Outbox> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    return new Outbox(dir, deliver, log);
  }

  /** Resolves once the entry is on disk. Rejects when it cannot be: then it is kept in memory and tried again, as long as this process lives. */
  async add(entry: OutboxEntry): Promise<void> {
    this.#waiting.add(`${entry.run_id} ${entry.kind}`);
    try {
      await this.#save(entry);
    } catch (error) {
      this.#unsaved.set(`${entry.run_id} ${entry.kind}`, entry);
      throw error;
    } finally {
      this.#wake();
    }
  }

  async #save(entry: OutboxEntry): Promise<void> {
    const path = join(this.#dir, `${entry.run_id}.${entry.kind}.json`);
    await using file = await open(`${path}.part`, "w", 0o600);
    await file.writeFile(JSON.stringify(entry));
    await file.sync();
    await rename(`${path}.part`, path);
  }

  /** A full disk must not keep a run from its end: what still cannot be written down is delivered from memory. */
  async #saveAgain(): Promise<void> {
    for (const [key, entry] of this.#unsaved)
      await this.#save(entry)
        .then(() => this.#unsaved.delete(key))
        .catch(() => {}); // told by add
  }

  /** Delivers nothing of this run until the promise has settled. Call before the entry is added. */
  hold(runId: string, until: Promise<unknown>): void {
    const both = Promise.allSettled([this.#held.get(runId), until]).then(() => {
      if (this.#held.get(runId) !== both) return;
      this.#held.delete(runId);
      this.#wake();
    });
    this.#held.set(runId, both);
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Resolves once nothing waits. */
  async emptied(): Promise<void> {
    if (!this.isEmpty) await new Promise<void>((resolve) => this.#onEmptied.push(resolve));
  }

  #delivered({ run_id, kind }: OutboxEntry): void {
    this.#waiting.delete(`${run_id} ${kind}`);
    if (this.isEmpty) for (const resolve of this.#onEmptied.splice(0)) resolve();
  }

  /** Delivers what an earlier process left. Returns what could not be delivered yet. */
  async deliverAll(): Promise<OutboxEntry[]> {
    const left: OutboxEntry[] = [];
    await this.#saveAgain();
    for (const entry of await this.#entries()) {
      if (this.#held.has(entry.run_id) || left.some(({ run_id }) => run_id === entry.run_id)) {
        left.push(entry);
        continue;
      }
      try {
        await this.#deliver(entry);
        await rm(join(this.#dir, `${entry.run_id}.${entry.kind}.json`), { force: true });
        this.#unsaved.delete(`${entry.run_id} ${entry.kind}`);
        this.#told.delete(`${entry.run_id} ${entry.kind}`);
        this.#delivered(entry);
      } catch (error) {
        left.push(entry);
        const { run_id, kind } = entry;
        const level = this.#told.has(`${run_id} ${kind}`) ? "debug" : "warn";
        this.#told.add(`${run_id} ${kind}`);
        this.#log[level]("An outbox entry could not be delivered yet", { run_id, kind, error });
      }
    }
    return left;
  }

  /** Begins to try again in the background, backing off while it does not work. */
  start(): void {
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    let waitMs = RETRY_MIN_MS;
    while (!this.#closing.signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve; // before looking, so that an entry added meanwhile is seen
      });
      const left = await this.deliverAll().catch((error: unknown) => {
        this.#log.error("The outbox could not be read", { error });
        return [null];
      });
      waitMs = left.length === 0 ? RETRY_MIN_MS : Math.min(waitMs * 2, RETRY_MAX_MS);
      const wait = left.length === 0 ? woken : pause(waitMs, this.#closing.signal);
      await Promise.race([wait, this.#closed()]).catch(() => {}); // the loop's condition sees the closing
    }
  }

  #closed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closing.signal.aborted) resolve();
      else this.#closing.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  async #entries(): Promise<OutboxEntry[]> {
    const names = (await readdir(this.#dir)).filter((name) => name.endsWith(".json"));
    const entries: OutboxEntry[] = [...this.#unsaved.values()];
    for (const name of names) {
      const [runId = "", kind] = name.split(".");
      if (this.#unsaved.has(`${runId} ${kind}`)) continue;
      if (!isRunId(runId) || (kind !== "publish" && kind !== "persist")) continue;
      entries.push(JSON.parse(await readFile(join(this.#dir, name), "utf8")) as OutboxEntry); // written by add(), whole or not at all
    }
    for (const { run_id, kind } of entries) this.#waiting.add(`${run_id} ${kind}`);
    return entries.sort((a, b) => (a.kind === b.kind ? 0 : a.kind === "publish" ? -1 : 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#loop;
    await this.#saveAgain();
  }
}
