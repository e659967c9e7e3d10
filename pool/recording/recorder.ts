/** Records a run: what was done to its pages, how long it took, how it looked. Nothing in here may change how the run goes or ends. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ElementHandle, Page } from "puppeteer-core";
import type { Action } from "../../shared/action.ts";
import { AppError } from "../../shared/errors.ts";
import { type Artifact, type RecordingOptions, SCREENSHOTS_FOLDER, TRACE_FILE } from "../../shared/recording.ts";
import { type Clean, createClean } from "./clean.ts";
import { fileChunks, openPlain } from "./file-chunks.ts";
import { screenshotName } from "./names.ts";
import { PageWatch } from "./page-watch.ts";
import { Pictures, type TakePicture } from "./pictures.ts";
import { salvagedEntries } from "./salvage.ts";
import { traceCall } from "./trace-calls.ts";
import { TRACE_VERSION, type TraceEvent, traceTime } from "./trace-events.ts";
import { TraceWriter } from "./trace-writer.ts";
import { BLOBS_FOLDER, EVENTS_FILE, TRACE_FOLDER, traceEntries, writeTraceZip } from "./trace-zip.ts";
import { type Warn, warnOnce } from "./warn.ts";
import { zipStream } from "./zip.ts";

/** What one run's recording may take. Past a limit the trace says so and stays valid. */
export type RecordingLimits = {
  /** The events' file, before it is zipped. A viewer holds all of it in memory. */
  traceBytes: number;
  pictures: number;
  pictureBytes: number;
  /** Console messages and uncaught errors of all pages. */
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
const TEXT_CHARS = 10_000;

export type RecorderOptions = {
  /** The run's own folder. Must exist. */
  dir: string;
  runId: string;
  /** Stands above the trace in the viewer. */
  title: string;
  viewport: { width: number; height: number };
  chromeVersion: string;
  options: RecordingOptions;
  takePicture: TakePicture;
  /** Hears of what could not be recorded, each kind of failure once. */
  warn: (error: unknown) => void;
  /** Replaces secrets; applied to every text that is written. */
  mask?: Clean;
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
  /** The action is over: keeps how the page looks now. Returns the picture's name below `screenshots/`; null if there is none. */
  screenshot(page: Page, actionName: string, signal?: AbortSignal): Promise<string | null>;
  end(outcome: { error: string | null; resultText: string | null }): void;
};

/** No method throws, except the stream of `zip()` at its reader. */
export interface Recorder {
  /** Call for each page, as soon as it exists. */
  attach(page: Page): void;
  /** A playbook's step, `index` from 0. Actions until its end are shown below it. */
  step(index: number, title: string): { end(): void };
  /** Without a title, or with its step's, the viewer names the action itself, as `Click locator('#cancel')`. */
  action(about: { seq: number; action: Action; title: string | null; page: Page }): ActionRecording;
  /** A valid zip of what is recorded by the first pull; once finished, the file. @throws NOT_FOUND where there is no trace */
  zip(): AsyncIterable<Uint8Array>;
  /** Ends what is open and writes `trace.zip`. Idempotent. */
  finish(): Promise<void>;
  /** What can be read below the run's folder; the trace has no size while it grows. */
  artifacts(): Pick<Artifact, "name" | "kind" | "bytes">[];
  /** Resolves when it is finished and no reader of `zip()` is left: only then the folder may go. */
  released(): Promise<void>;
}

/** With recording off: no file, no work. What cannot be opened is told to `warn` and left out. */
export async function openRecorder({
  limits: given,
  warn: listener,
  mask = (text) => text,
  ...options
}: RecorderOptions): Promise<Recorder> {
  const { enabled, trace, screenshots } = options.options;
  const limits = { ...RECORDING_LIMITS, ...given };
  const warn = warnOnce(listener);
  const blobsDir = join(options.dir, TRACE_FOLDER, BLOBS_FOLDER);
  const clean = createClean(mask, TEXT_CHARS);
  const opening = async <T>(what: string, open: () => Promise<T>): Promise<T | null> => {
    try {
      return await open();
    } catch (error) {
      warn(what, error);
      return null;
    }
  };
  const writer =
    enabled && trace
      ? await opening("The trace could not be opened", async () => {
          await mkdir(blobsDir, { recursive: true, mode: 0o700 });
          return await TraceWriter.open(join(options.dir, TRACE_FOLDER, EVENTS_FILE), {
            limitBytes: limits.traceBytes,
            clean,
            warn: (error) => warn("The trace could not be written", error),
            onLimit: () => remark(`Recording limit reached: ${limits.traceBytes} bytes of events. What follows is left out.`),
          });
        })
      : null;
  const pictures =
    enabled && screenshots
      ? await opening("The folder for pictures could not be made", () =>
          Pictures.open({
            dir: options.dir,
            blobsDir: writer && blobsDir,
            limits,
            takePicture: options.takePicture,
            warn,
            remark: (text) => writer?.append(remark(text)),
          }),
        )
      : null;
  return new RunRecorder({ ...options, limits, warn, writer, pictures });
}

type Parts = Pick<RecorderOptions, "dir" | "runId" | "title" | "viewport" | "chromeVersion" | "options"> & {
  limits: RecordingLimits;
  warn: Warn;
  writer: TraceWriter | null;
  pictures: Pictures | null;
};

/** States: recording → finishing → finished → released, when its last reader has left. */
class RunRecorder implements Recorder {
  readonly #parts: Parts;
  readonly #pages: PageWatch | null;
  readonly #closing = new AbortController();
  readonly #released = Promise.withResolvers<void>();
  #steps = 0;
  #actions = 0;
  #group: { callId: string; title: string } | null = null;
  #readers = 0;
  #finishing: Promise<void> | null = null;
  #isFinished = false;
  /** Size of `trace.zip`, once it is there. */
  #zipBytes: number | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { writer, limits, warn } = parts;
    this.#pages = writer
      ? new PageWatch({
          write: (event) => writer.append(event),
          limit: limits.consoleMessages,
          onLimit: () =>
            writer.append(remark(`Recording limit reached: ${limits.consoleMessages} console messages. Further ones are left out.`)),
          warn,
        })
      : null;
    this.#writeContext();
  }

  attach(page: Page): void {
    this.#pages?.attach(page);
  }

  step(index: number, title: string): { end(): void } {
    const callId = `step@${++this.#steps}`;
    const group = { callId, title };
    this.#group = group;
    this.#parts.writer?.append({
      type: "before",
      callId,
      startTime: traceTime(),
      class: "Tracing",
      method: "tracingGroup",
      title: `Step ${index + 1}: ${title}`,
      params: {},
    });
    return {
      end: () => {
        if (this.#group === group) this.#group = null;
        this.#parts.writer?.append({ type: "after", callId, endTime: traceTime() });
      },
    };
  }

  action({ seq, action, title, page }: { seq: number; action: Action; title: string | null; page: Page }): ActionRecording {
    const callId = `call@${++this.#actions}`;
    const write = (event: TraceEvent) => this.#parts.writer?.append(event);
    const attachments: { name: string; contentType: string; sha1: string }[] = [];
    let endTime: number | null = null;
    write({
      type: "before",
      callId,
      startTime: traceTime(),
      ...traceCall(action, title === this.#group?.title ? null : title),
      parentId: this.#group?.callId,
      pageId: this.#pages?.idOf(page),
    });
    return {
      observer: {
        log: (message) => void write({ type: "log", callId, time: traceTime(), message }),
        input: ({ point, box }) => void write({ type: "input", callId, point, box }),
      },
      screenshot: async (shown, actionName, signal) => {
        endTime ??= traceTime(); // the picture is not part of what was done
        const picture = await this.#picture(shown, screenshotName(seq, actionName), signal);
        const pageId = this.#pages?.idOf(shown);
        if (picture?.blob && pageId) {
          const timestamp = traceTime();
          attachments.push({ name: picture.name, contentType: "image/jpeg", sha1: picture.blob });
          write({ type: "screencast-frame", pageId, sha1: picture.blob, ...this.#parts.viewport, timestamp });
          write({ type: "screenshot", callId, phase: "after", pageId, timestamp, file: `${BLOBS_FOLDER}/${picture.blob}` });
        }
        return picture?.name ?? null;
      },
      end: ({ error, resultText }) =>
        void write({
          type: "after",
          callId,
          endTime: endTime ?? traceTime(),
          result: resultText === null ? undefined : { value: resultText },
          error: error === null ? undefined : { name: "Error", message: error },
          attachments: attachments.length > 0 ? attachments : undefined,
        }),
    };
  }

  async *zip(): AsyncGenerator<Uint8Array, void, undefined> {
    const { dir, options, writer, pictures } = this.#parts;
    if (!options.enabled || !options.trace) throw new AppError("NOT_FOUND", "This run keeps no trace", { details: { reason: "disabled" } });
    const reason = () => new AppError("NOT_FOUND", "The trace of this run could not be written", { details: { reason: "persist_failed" } });
    if (!writer) throw reason();
    this.#readers += 1;
    try {
      await this.#finishing; // "the trace" of a run that is over is the finished one
      if (this.#zipBytes !== null) {
        await using file = await openPlain(join(dir, TRACE_FILE));
        yield* fileChunks(file, this.#zipBytes);
      } else {
        await writer.flush();
        yield* zipStream(traceEntries(dir, { bytes: writer.bytes, blobs: new Map(pictures?.blobs) }));
      }
    } finally {
      this.#readers -= 1;
      this.#release();
    }
  }

  finish(): Promise<void> {
    this.#finishing ??= this.#finish();
    return this.#finishing;
  }

  released(): Promise<void> {
    return this.#released.promise;
  }

  artifacts(): Pick<Artifact, "name" | "kind" | "bytes">[] {
    const { writer, pictures } = this.#parts;
    const isLost = this.#isFinished && this.#zipBytes === null;
    return [
      ...[...(pictures?.files ?? [])].map(([name, bytes]) => ({
        name: `${SCREENSHOTS_FOLDER}/${name}`,
        kind: "screenshot" as const,
        bytes,
      })),
      ...(writer && !isLost ? [{ name: TRACE_FILE, kind: "trace" as const, bytes: this.#zipBytes }] : []),
    ];
  }

  async #finish(): Promise<void> {
    this.#closing.abort(new AppError("RUN_TERMINATED", "The recording ends"));
    this.#pages?.close();
    try {
      if (this.#parts.writer) this.#zipBytes = await this.#writeZip(this.#parts.writer);
    } catch (cause) {
      this.#parts.warn(`${TRACE_FILE} could not be written`, cause);
    }
    this.#isFinished = true;
    this.#release();
  }

  async #writeZip(writer: TraceWriter): Promise<number | null> {
    const { dir, pictures } = this.#parts;
    writer.appendClosing("The run ended before this action did", traceTime());
    await writer.close();
    if (!writer.failed) return writeTraceZip(dir, traceEntries(dir, { bytes: writer.bytes, blobs: pictures?.blobs ?? new Map() }));
    const entries = await salvagedEntries(dir, "The recording broke off while this action ran");
    return entries && writeTraceZip(dir, entries);
  }

  #picture(page: Page, name: string, signal: AbortSignal | undefined) {
    const { signal: closing } = this.#closing;
    if (closing.aborted) return null;
    return this.#parts.pictures?.take(page, name, signal ? AbortSignal.any([signal, closing]) : closing);
  }

  #release(): void {
    if (this.#isFinished && this.#readers === 0) this.#released.resolve();
  }

  #writeContext(): void {
    const { writer, runId, title, viewport, chromeVersion } = this.#parts;
    writer?.append({
      type: "context-options",
      version: TRACE_VERSION,
      origin: "library",
      browserName: "chromium",
      platform: process.platform,
      playwrightVersion: "1.53.0", // the first whose viewer opens this version
      title,
      wallTime: Date.now(),
      monotonicTime: traceTime(),
      sdkLanguage: "javascript",
      options: { viewport, deviceScaleFactor: 1, isMobile: false, userAgent: `Chrome/${chromeVersion}` },
      contextId: runId,
    });
    writer?.append(remark(`Run ${runId}, Chrome ${chromeVersion}`));
  }
}

/** A line in the viewer's console. */
const remark = (text: string): TraceEvent => ({ type: "stdout", timestamp: traceTime(), text: `${text}\n` });
