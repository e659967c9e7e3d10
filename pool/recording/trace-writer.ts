/** Appends events to the trace's file: in order, each checked, in the background. What is on disk always ends with a whole line. */
import { type FileHandle, open } from "node:fs/promises";
import type { Clean } from "./clean.ts";
import { writeAll } from "./file-chunks.ts";
import { type TraceEvent, TraceOrder, toLine } from "./trace-events.ts";

/** Behind a disk that cannot keep up, what tells of no action is left out. */
const QUEUE_BYTES = 4 * 1024 * 1024;
const DROPPABLE = new Set<TraceEvent["type"]>([
  "console",
  "event",
  "log",
  "stdout",
  "frame-snapshot",
  "resource-snapshot",
  "screencast-frame",
]);

export type TraceWriterOptions = {
  /** Past it come only the line that says so and the ends of what is open. */
  limitBytes: number;
  /** Applied to every text of every event. */
  clean: Clean;
  warn: (error: unknown) => void;
  /** Called once, when the limit is reached; its answer is the line that says so. */
  onLimit: () => TraceEvent;
  /** Called once, when something is left out as the disk cannot keep up; as with `onLimit`. */
  onSlow: () => TraceEvent;
};

export class TraceWriter {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #options: TraceWriterOptions;
  readonly #order = new TraceOrder();
  #queue: string[] = [];
  #queuedBytes = 0;
  #acceptedBytes = 0;
  #writtenBytes = 0;
  #full = false;
  #isSlow = false;
  #failed = false;
  #closed = false;
  #writing: Promise<void> | null = null;

  private constructor(path: string, file: FileHandle, options: TraceWriterOptions) {
    this.path = path;
    this.#file = file;
    this.#options = options;
  }

  /** @throws if the file exists: a trace has one writer. */
  static async open(path: string, options: TraceWriterOptions): Promise<TraceWriter> {
    return new TraceWriter(path, await open(path, "ax", 0o600), options);
  }

  /** Bytes on disk, whole lines only. */
  get bytes(): number {
    return this.#writtenBytes;
  }

  /** Did the disk refuse? Then the file ends somewhere after `bytes`, perhaps within a line, and nothing follows. */
  get failed(): boolean {
    return this.#failed;
  }

  /** True if the event is in the trace, or on its way. Never throws: what cannot be written is told to `warn` and left out. */
  append(event: TraceEvent, html?: string): boolean {
    if (this.#failed || this.#closed) return false;
    if (this.#full && event.type !== "after") return false;
    if (this.#queuedBytes > QUEUE_BYTES && DROPPABLE.has(event.type)) {
      if (!this.#isSlow) this.#say(this.#options.onSlow());
      this.#isSlow = true;
      return false;
    }
    let line: string;
    try {
      line = toLine(event, this.#options.clean, html);
    } catch (error) {
      this.#options.warn(error);
      return false;
    }
    const bytes = Buffer.byteLength(line);
    if (!this.#full && this.#acceptedBytes + bytes > this.#options.limitBytes) {
      this.#say(this.#options.onLimit());
      this.#full = true;
      if (event.type !== "after") return false;
    }
    return this.#enqueue(line, event);
  }

  /** Ends every open action with `reason`, and every group. */
  appendClosing(reason: string, at: number): void {
    for (const event of this.#order.closing(reason, at)) this.append(event);
  }

  #say(remark: TraceEvent): void {
    this.#enqueue(toLine(remark, this.#options.clean), remark);
  }

  #enqueue(line: string, event: TraceEvent): boolean {
    if (!this.#order.admit(event)) return false;
    this.#queue.push(line);
    this.#queuedBytes += line.length;
    this.#acceptedBytes += Buffer.byteLength(line);
    this.#writing ??= this.#writeQueue();
    return true;
  }

  async #writeQueue(): Promise<void> {
    await null; // lines of one moment go together
    try {
      while (this.#queue.length > 0) {
        const batch = Buffer.from(this.#queue.join(""));
        this.#queue = [];
        this.#queuedBytes = 0;
        await writeAll(this.#file, batch);
        this.#writtenBytes += batch.length;
      }
    } catch (error) {
      this.#failed = true; // what is beyond `bytes` may be torn: nothing may follow it
      this.#queue = [];
      this.#queuedBytes = 0;
      this.#options.warn(error);
    } finally {
      this.#writing = null;
    }
  }

  /** Resolves when all that was appended before is on disk, or was given up. Never rejects. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** Idempotent. Events appended later are left out. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    await this.#file.close().catch(this.#options.warn);
  }
}
