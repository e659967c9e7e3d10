/** Records a run: what was done to the page, how long it took, how it looked. Nothing in here may change how the run ends. */
import { createReadStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { CDPSession, ElementHandle, Page } from "puppeteer-core";
import type { Action } from "../../shared/action.ts";
import { withDeadline } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import { type Artifact, type RecordingOptions, SCREENSHOTS_FOLDER, TRACE_FILE } from "../../shared/recording.ts";
import { screenshotName } from "./names.ts";
import { watchPage } from "./page-events.ts";
import { Pictures } from "./pictures.ts";
import { noted } from "./summary.ts";
import { traceCall } from "./trace-calls.ts";
import { TRACE_VERSION, type TraceEvent, traceTime } from "./trace-events.ts";
import { TraceWriter } from "./trace-writer.ts";
import { BLOBS_FOLDER, EVENTS_FILE, TRACE_FOLDER, traceEntries, writeTraceZip } from "./trace-zip.ts";
import { zipStream } from "./zip.ts";

/** What one run's recording may take. Past a limit the trace says so and stays valid. */
export type RecordingLimits = {
  /** The events' file, before it is zipped. A viewer holds all of it in memory. */
  traceBytes: number;
  pictures: number;
  pictureBytes: number;
  consoleMessages: number;
  /** Longest wait for one picture. */
  pictureMs: number;
};
export const RECORDING_LIMITS: RecordingLimits = {
  traceBytes: 64 * 1024 * 1024,
  pictures: 2_000,
  pictureBytes: 256 * 1024 * 1024,
  consoleMessages: 10_000,
  pictureMs: 3_000,
};
/** JPEG quality of pictures, 0–100. */
const PICTURE_QUALITY = 70;
const TEXT_CHARS = 10_000;

/** Takes a JPEG of the page's viewport, within the limit, whatever state the page is in. */
export type TakePicture = (page: Page, options: { signal: AbortSignal; quality: number; limitMs: number }) => Promise<Uint8Array>;

export type RecorderOptions = {
  /** The run's own folder. Must exist. */
  dir: string;
  runId: string;
  title: string;
  viewport: { width: number; height: number };
  chromeVersion: string;
  options: RecordingOptions;
  /** Hears of everything that could not be recorded, each kind of failure once. */
  warn: (error: unknown) => void;
  takePicture: TakePicture;
  /** Replaces secrets; applied to every text that is written. */
  mask?: (text: string) => string;
  limits?: Partial<RecordingLimits>;
};

export type InputTarget = {
  handle?: ElementHandle;
  point?: { x: number; y: number };
  box?: { x: number; y: number; width: number; height: number };
};

export type ActionRecording = {
  /** What `perform` tells on its way. */
  observer: { log(message: string): void; input(target: InputTarget): void };
  /** Keeps how the page looks now. Returns the picture's name below `screenshots/`; null if there is none. Never rejects. */
  screenshot(page: Page, actionName: string, signal?: AbortSignal): Promise<string | null>;
  end(outcome: { error: string | null; resultText: string | null }): void;
};

/** No method of a recorder throws, except the stream of `zip()` at its reader. */
export interface Recorder {
  /** Call for each page, as soon as it exists. */
  attach(page: Page): void;
  /** A playbook's step, `index` from 0. Actions until its end are shown below it. */
  step(index: number, title: string): { end(): void };
  action(about: { seq: number; action: Action; title: string | null; page: Page }): ActionRecording;
  /** A valid zip of what is recorded at the first pull; once finished, the file. @throws NOT_FOUND where no trace is kept */
  zip(): AsyncIterable<Uint8Array>;
  /** Ends what is open and writes `trace.zip`. Idempotent. */
  finish(): Promise<void>;
  /** What can be read below the run's folder; the trace has no size while it grows. */
  artifacts(): Pick<Artifact, "name" | "kind" | "bytes">[];
  /** Resolves when it is finished and no reader of `zip()` is left: only then the folder may go. */
  released(): Promise<void>;
}

/** With recording off: no file, no work. @throws if the folder cannot be written to or holds a recording already */
export async function openRecorder(options: RecorderOptions): Promise<Recorder> {
  const { enabled, trace, screenshots } = options.options;
  if (!enabled || (!trace && !screenshots)) return noRecorder;
  const limits = { ...RECORDING_LIMITS, ...options.limits };
  const warn = oncePerKind(options.warn);
  const mask = options.mask ?? ((text: string) => text);
  const folder = join(options.dir, TRACE_FOLDER);
  const blobs = trace ? join(folder, BLOBS_FOLDER) : null;
  if (blobs) await mkdir(blobs, { recursive: true, mode: 0o700 });
  const pictures = screenshots ? new Pictures(options.dir, blobs, limits) : null;
  await pictures?.open();
  const writer = trace
    ? await TraceWriter.open(join(folder, EVENTS_FILE), {
        limitBytes: limits.traceBytes,
        clean: (text) => noted(mask(text.slice(0, TEXT_CHARS * 5)), TEXT_CHARS), // cut twice: masking must see a secret whole
        warn: (error) => warn("The trace could not be written", error),
        onLimit: () =>
          remark(`Recording limit reached: the trace is longer than ${limits.traceBytes} bytes. What follows was not recorded.`),
      })
    : null;
  const recorder = new RunRecorder({ ...options, limits, warn, pictures, writer });
  return recorder;
}

type Warn = (what: string, cause: unknown) => void;
type Parts = Omit<RecorderOptions, "limits" | "warn" | "mask"> & {
  limits: RecordingLimits;
  warn: Warn;
  pictures: Pictures | null;
  writer: TraceWriter | null;
};

class RunRecorder implements Recorder {
  readonly #parts: Parts;
  readonly #closing = new AbortController();
  readonly #pages = new Map<Page, string>();
  readonly #sessions = new Set<CDPSession>();
  readonly #released = Promise.withResolvers<void>();
  readonly #said = new Set<string>();
  #calls = 0;
  #group: string | null = null;
  #consoleMessages = 0;
  #readers = 0;
  #finishing: Promise<void> | null = null;
  /** Bytes of `trace.zip`, once it is there. */
  #zipBytes: number | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { runId, title, viewport, chromeVersion, writer } = parts;
    writer?.append({
      type: "context-options",
      version: TRACE_VERSION,
      origin: "library",
      browserName: "chromium",
      channel: chromeVersion || undefined,
      platform: process.platform,
      playwrightVersion: "1.53.0",
      title,
      wallTime: Date.now(),
      monotonicTime: traceTime(),
      sdkLanguage: "javascript",
      options: { viewport, deviceScaleFactor: 1, isMobile: false },
      contextId: runId,
    });
  }

  attach(page: Page): void {
    const { writer, warn } = this.#parts;
    if (!writer || this.#finishing || this.#pages.has(page)) return;
    const pageId = this.#pageId(page);
    page.once("close", () => {
      writer.append({ type: "event", time: traceTime(), class: "BrowserContext", method: "pageClosed", params: { pageId }, pageId });
      this.#pages.delete(page);
    });
    watchPage(page, pageId, (event) => this.#pageEvent(event)).then(
      (session) => {
        this.#sessions.add(session);
        if (this.#finishing) this.#detach();
      },
      (cause) => {
        if (!page.isClosed()) warn("A page's console cannot be recorded", cause);
      },
    );
  }

  step(index: number, title: string): { end(): void } {
    const { writer } = this.#parts;
    const callId = `step@${++this.#calls}`;
    const written = writer?.append({
      type: "before",
      callId,
      startTime: traceTime(),
      class: "Tracing",
      method: "tracingGroup",
      title: `Step ${index + 1}: ${title}`,
      params: {},
    });
    if (!written) return { end() {} };
    this.#group = callId;
    return {
      end: () => {
        writer?.append({ type: "after", callId, endTime: traceTime() });
        if (this.#group === callId) this.#group = null;
      },
    };
  }

  action({ seq, action, title, page }: { seq: number; action: Action; title: string | null; page: Page }): ActionRecording {
    const { writer } = this.#parts;
    const callId = `call@${++this.#calls}`;
    const attachments: { name: string; contentType: string; sha1: string }[] = [];
    writer?.append({
      type: "before",
      callId,
      startTime: traceTime(),
      ...traceCall(action, title),
      ...(this.#group ? { parentId: this.#group } : {}),
      pageId: this.#pageId(page),
    });
    return {
      observer: {
        log: (message) => void writer?.append({ type: "log", callId, time: traceTime(), message }),
        input: ({ point, box }) => void writer?.append({ type: "input", callId, ...(point ? { point } : {}), ...(box ? { box } : {}) }),
      },
      screenshot: async (shown, actionName, signal) => {
        const kept = await this.#picture(shown, screenshotName(seq, actionName), signal);
        if (kept?.blob) {
          const { width, height } = this.#parts.viewport;
          const pageId = this.#pageId(shown);
          const timestamp = traceTime();
          attachments.push({ name: kept.file, contentType: "image/jpeg", sha1: kept.blob });
          writer?.append({ type: "screencast-frame", pageId, sha1: kept.blob, width, height, timestamp });
          writer?.append({ type: "screenshot", callId, phase: "after", pageId, timestamp, file: `${BLOBS_FOLDER}/${kept.blob}` });
        }
        return kept?.file ?? null;
      },
      end: ({ error, resultText }) =>
        void writer?.append({
          type: "after",
          callId,
          endTime: traceTime(),
          ...(resultText === null ? {} : { result: { value: resultText } }),
          ...(error === null ? {} : { error: { name: "Error", message: error } }),
          ...(attachments.length > 0 ? { attachments } : {}),
        }),
    };
  }

  async #picture(page: Page, name: string, signal?: AbortSignal): Promise<{ file: string; blob: string | null } | null> {
    const { pictures, limits, takePicture, warn } = this.#parts;
    if (!pictures || this.#finishing) return null;
    if (pictures.full) {
      this.#sayOnce(
        `Recording limit reached: ${limits.pictures} pictures or ${limits.pictureBytes} bytes of them. Further ones are left out.`,
      );
      return null;
    }
    try {
      const outer = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
      const options = { quality: PICTURE_QUALITY, limitMs: limits.pictureMs };
      const picture = await withDeadline(limits.pictureMs + 500, (signal) => takePicture(page, { ...options, signal }), { signal: outer });
      return await pictures.keep(name, picture);
    } catch (cause) {
      if (signal?.aborted || this.#closing.signal.aborted || page.isClosed()) return null; // the run's end, not ours
      warn("A picture could not be taken", cause);
      this.#parts.writer?.append(remark(`Picture ${name} could not be taken: ${cause instanceof Error ? cause.message : String(cause)}`));
      return null;
    }
  }

  #pageEvent(event: TraceEvent): void {
    const { writer, limits } = this.#parts;
    if (this.#consoleMessages >= limits.consoleMessages) {
      this.#sayOnce(`Recording limit reached: ${limits.consoleMessages} console messages. Further ones are left out.`);
      return;
    }
    this.#consoleMessages += 1;
    writer?.append(event);
  }

  #sayOnce(text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.#parts.writer?.append(remark(text));
  }

  /** The name of a page in the trace; given at first sight. */
  #pageId(page: Page): string {
    const known = this.#pages.get(page);
    if (known !== undefined) return known;
    const pageId = `page@${++this.#calls}`;
    this.#pages.set(page, pageId);
    this.#parts.writer?.append({ type: "event", time: traceTime(), class: "BrowserContext", method: "page", params: { pageId }, pageId });
    return pageId;
  }

  async *zip(): AsyncGenerator<Uint8Array, void, undefined> {
    const { dir, writer, pictures } = this.#parts;
    if (!writer) throw new AppError("NOT_FOUND", "This run keeps no trace", { details: { reason: "disabled" } });
    this.#readers += 1;
    try {
      if (this.#finishing) await this.#finishing;
      if (this.#zipBytes !== null) {
        yield* createReadStream(join(dir, TRACE_FILE)) as AsyncIterable<Uint8Array>;
        return;
      }
      await writer.flush();
      yield* zipStream(traceEntries(dir, { bytes: writer.bytes, blobs: new Map(pictures?.blobs) }));
    } finally {
      this.#readers -= 1;
      this.#release();
    }
  }

  finish(): Promise<void> {
    this.#finishing ??= this.#finish().finally(() => this.#release());
    return this.#finishing;
  }

  async #finish(): Promise<void> {
    const { dir, writer, pictures, warn } = this.#parts;
    this.#closing.abort(new AppError("RUN_TERMINATED", "The recording ends"));
    this.#detach();
    if (!writer) return;
    writer.appendClosing("The run ended before this action did", traceTime());
    await writer.close();
    try {
      this.#zipBytes = await writeTraceZip(dir, traceEntries(dir, { bytes: writer.bytes, blobs: pictures?.blobs ?? new Map() }));
    } catch (cause) {
      warn("trace.zip could not be written", cause);
    }
  }

  #detach(): void {
    for (const session of this.#sessions) {
      session.removeAllListeners();
      session.detach().catch(() => {}); // its page or browser has gone
    }
    this.#sessions.clear();
  }

  #release(): void {
    if (this.#finishing && this.#readers === 0) void this.#finishing.then(() => this.#readers === 0 && this.#released.resolve());
  }

  released(): Promise<void> {
    return this.#released.promise;
  }

  artifacts(): Pick<Artifact, "name" | "kind" | "bytes">[] {
    const { writer, pictures } = this.#parts;
    const lost = this.#finishing !== null && this.#zipBytes === null;
    return [
      ...[...(pictures?.files ?? [])].map(([name, bytes]) => ({
        name: `${SCREENSHOTS_FOLDER}/${name}`,
        kind: "screenshot" as const,
        bytes,
      })),
      ...(writer && !lost ? [{ name: TRACE_FILE, kind: "trace" as const, bytes: this.#zipBytes }] : []),
    ];
  }
}

/** A line in the viewer's console. */
const remark = (text: string): TraceEvent => ({ type: "stdout", timestamp: traceTime(), text: `${text}\n` });

/** Hundreds of actions can fail to be pictured for one cause; a run needs to be told once. */
function oncePerKind(warn: (error: unknown) => void): Warn {
  const told = new Set<string>();
  return (what, cause) => {
    if (told.has(what)) return;
    told.add(what);
    const reason = cause instanceof Error ? `: ${cause.message}` : "";
    try {
      warn(new AppError("INTERNAL", `${what}${reason}`, { cause }));
    } catch {} // whoever listens must not end a run by it
  };
}

const noAction: ActionRecording = {
  observer: { log() {}, input() {} },
  screenshot: async () => null,
  end() {},
};

/** Recording off. */
const noRecorder: Recorder = {
  attach() {},
  step: () => ({ end() {} }),
  action: () => noAction,
  // biome-ignore lint/correctness/useYield: there is nothing to yield, and callers pull as from any other
  async *zip() {
    throw new AppError("NOT_FOUND", "This run is not recorded", { details: { reason: "disabled" } });
  },
  finish: async () => {},
  artifacts: () => [],
  released: async () => {},
};
