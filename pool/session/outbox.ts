/** What a phase could not finish in its limit: durable entries in `DATA_DIR/outbox`, tried again until done. */
import { access, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pause, untilAborted } from "../../shared/deadline.ts";
import { isRunId } from "../../shared/ids.ts";
import type { Log } from "../telemetry/log.ts";

/** In the order in which those of one run go: its status before its artifacts. */
const KINDS = ["publish", "persist"] as const;
export type OutboxKind = (typeof KINDS)[number];
export type OutboxEntry = { kind: OutboxKind; run_id: string; payload: unknown };

const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** Of an entry that is not yet whole. */
const PART = ".part";

type Named = Pick<OutboxEntry, "kind" | "run_id">;
const keyOf = ({ kind, run_id }: Named): string => `${run_id} ${kind}`;
const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Each kind is delivered in a loop of its own: a bucket that is silent holds up no status. */
export class Outbox implements AsyncDisposable {
  readonly #dir: string;
  readonly #log: Log;
  readonly #deliver: (entry: OutboxEntry) => Promise<void>;
  readonly #closing = new AbortController();
  readonly #sleeps: Record<OutboxKind, AbortController> = { publish: new AbortController(), persist: new AbortController() };
  #loops: Promise<void>[] = [];
  /** Entries that are not delivered, as far as was looked. */
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();
  /** Entries whose failure was told; again and again would fill the log of a long outage. */
  readonly #told = new Set<string>();
  /** Entries that the disk did not take. */
  readonly #unsaved = new Map<string, OutboxEntry>();
  /** Runs of which this process still writes what their entries need. */
  readonly #held = new Map<string, Promise<unknown>>();

  private constructor(dir: string, deliver: (entry: OutboxEntry) => Promise<void>, log: Log) {
    this.#dir = dir;
    this.#deliver = deliver;
    this.#log = log;
  }

  /** `deliver` must stand being called again for what it has done already, or half done. */
  static async open(dir: string, deliver: (entry: OutboxEntry) => Promise<void>, log: Log): Promise<Outbox> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const halves = (await readdir(dir)).filter((name) => name.endsWith(PART)); // of a process that was killed
    await Promise.all(halves.map((name) => rm(join(dir, name), { recursive: true, force: true })));
    return new Outbox(dir, deliver, log);
  }

  /** Resolves once the entry is on disk. Rejects when it cannot be: then it is kept in memory and tried again, as long as this process lives. */
  async add(entry: OutboxEntry): Promise<void> {
    const key = keyOf(entry);
    const delivered = Promise.withResolvers<void>();
    this.#waiting.get(key)?.resolve(delivered.promise); // replaced
    this.#waiting.set(key, delivered);
    try {
      await this.#save(entry);
    } catch (error) {
      this.#unsaved.set(key, entry);
      throw error;
    } finally {
      this.wake(entry.kind);
    }
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Resolves once nothing waits. */
  async emptied(): Promise<void> {
    while (!this.isEmpty) await Promise.all([...this.#waiting.values()].map(({ promise }) => promise));
  }

  /** Resolves once nothing of this kind that was added waits for the run. May take as long as store or bucket are away. */
  delivered(runId: string, kind: OutboxKind): Promise<void> {
    return this.#waiting.get(keyOf({ run_id: runId, kind }))?.promise ?? Promise.resolve();
  }

  /** Runs of which something waits, also of an earlier process. */
  async runs(): Promise<Set<string>> {
    const named = await Promise.all(KINDS.map((kind) => this.#named(kind)));
    return new Set([...named.flat(), ...[...this.#unsaved.values()].map(({ run_id }) => run_id)]);
  }

  #path({ kind, run_id }: Named): string {
    return join(this.#dir, `${run_id}.${kind}.json`);
  }

  async #save(entry: OutboxEntry): Promise<void> {
    const path = this.#path(entry);
    const part = `${path}${PART}`;
    try {
      await using file = await open(part, "w", 0o600);
      await file.writeFile(JSON.stringify(entry));
      await file.sync();
      await rename(part, path);
    } catch (error) {
      await rm(part, { force: true }).catch(() => {}); // a full disk leaves an empty one, and it may be delivered from memory
      throw error;
    }
  }

  /** A full disk must not keep a run from its end: what still cannot be written down is delivered from memory. */
  async #saveAgain(kind: OutboxKind): Promise<void> {
    for (const [key, entry] of this.#unsaved)
      if (entry.kind === kind)
        await this.#save(entry)
          .then(() => this.#unsaved.delete(key))
          .catch(() => {}); // told by add
  }

  /** Delivers nothing of this run until the promise has settled. Call before the entry is added. */
  hold(runId: string, until: Promise<unknown>): void {
    const both = Promise.allSettled([this.#held.get(runId), until]).then(() => {
      if (this.#held.get(runId) !== both) return;
      this.#held.delete(runId);
      this.wake();
    });
    this.#held.set(runId, both);
  }

  /** Delivers what waits, whichever process left it. Returns what could not be delivered yet. */
  async deliverAll(kinds: readonly OutboxKind[] = KINDS): Promise<OutboxEntry[]> {
    const left: OutboxEntry[] = [];
    for (const kind of kinds) {
      await this.#saveAgain(kind);
      for (const entry of await this.#entries(kind)) {
        if ((await this.#mustWait(entry)) || !(await this.#isDelivered(entry))) left.push(entry);
      }
    }
    return left;
  }

  async #mustWait({ kind, run_id }: OutboxEntry): Promise<boolean> {
    if (this.#closing.signal.aborted || this.#held.has(run_id)) return true;
    if (kind === "publish") return false;
    const before: Named = { kind: "publish", run_id };
    return this.#waiting.has(keyOf(before)) || isThere(this.#path(before));
  }

  async #isDelivered(entry: OutboxEntry): Promise<boolean> {
    const key = keyOf(entry);
    const added = this.#waiting.get(key);
    try {
      await untilAborted(this.#deliver(entry), this.#closing.signal);
      if (this.#waiting.get(key) !== added) return false; // another has taken its place
      await rm(this.#path(entry), { force: true });
    } catch (error) {
      const { run_id, kind } = entry;
      this.#log[this.#told.has(key) ? "debug" : "warn"]("An outbox entry could not be delivered yet", { run_id, kind, error });
      this.#told.add(key);
      return false;
    }
    for (const each of [this.#unsaved, this.#told, this.#waiting]) each.delete(key);
    added?.resolve();
    if (entry.kind === "publish") this.wake("persist");
    return true;
  }

  /** Begins to try again in the background, backing off while it does not work. */
  start(): void {
    this.#loops = KINDS.map((kind) => this.#run(kind));
  }

  /** What waits may be deliverable now: the store is back, say. */
  wake(kind?: OutboxKind): void {
    for (const each of kind ? [kind] : KINDS) this.#sleeps[each].abort();
  }

  async #run(kind: OutboxKind): Promise<void> {
    let waitMs = RETRY_MIN_MS;
    while (!this.#closing.signal.aborted) {
      const sleep = new AbortController();
      this.#sleeps[kind] = sleep; // before looking, so that an entry added meanwhile is seen
      const woken = new Promise<void>((resolve) => sleep.signal.addEventListener("abort", () => resolve(), { once: true }));
      const left = await this.deliverAll([kind]).catch((error: unknown) => {
        this.#log.error("The outbox could not be read", { error });
        return [null];
      });
      if (this.#closing.signal.aborted) return;
      if (left.length === 0) await woken;
      else await pause(waitMs, sleep.signal).catch(() => {}); // woken
      waitMs = sleep.signal.aborted ? RETRY_MIN_MS : Math.min(waitMs * 2, RETRY_MAX_MS);
    }
  }

  /** Ids of the runs that have an entry of this kind on disk. */
  async #named(kind: OutboxKind): Promise<string[]> {
    const suffix = `.${kind}.json`;
    const names = (await readdir(this.#dir)).filter((name) => name.endsWith(suffix));
    const runs = names.map((name) => name.slice(0, -suffix.length)).filter(isRunId);
    for (const key of runs.map((run_id) => keyOf({ kind, run_id }))) {
      if (!this.#waiting.has(key)) this.#waiting.set(key, Promise.withResolvers());
    }
    return runs;
  }

  async #entries(kind: OutboxKind): Promise<OutboxEntry[]> {
    const named = await this.#named(kind);
    const entries = [...this.#unsaved.values()].filter((entry) => entry.kind === kind);
    for (const run_id of named) {
      if (this.#unsaved.has(keyOf({ kind, run_id }))) continue;
      entries.push(JSON.parse(await readFile(this.#path({ kind, run_id }), "utf8")) as OutboxEntry); // written by add(), whole or not at all
    }
    return entries;
  }

  /** What is under way is left as it is, as if this process were killed: a bucket may be silent, and the next start delivers it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.wake();
    await Promise.all(this.#loops);
    for (const kind of KINDS) await this.#saveAgain(kind);
  }
}
