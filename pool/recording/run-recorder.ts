/** The one recorder there is: trace and pictures, each if it is wanted and could be opened. */
import { join } from "node:path";
import type { Page } from "puppeteer-core";
import type { Action } from "../../shared/action.ts";
import { AppError } from "../../shared/errors.ts";
import { type Artifact, SCREENSHOTS_FOLDER, TRACE_FILE } from "../../shared/recording.ts";
import type { FoundPlace } from "../actions/attempt.ts";
import type { Blobs } from "./blobs.ts";
import type { Clean } from "./clean.ts";
import { fileChunks, openPlain } from "./file-chunks.ts";
import type { RecordingLimits } from "./limits.ts";
import { screenshotName } from "./names.ts";
import type { PageRecording } from "./page-recording.ts";
import { PageWatch } from "./page-watch.ts";
import type { Picture, Pictures } from "./pictures.ts";
import type { ActionRecording, Recorder, RecorderOptions } from "./recorder.ts";
import { salvagedEntries } from "./salvage.ts";
import { type Aim, aimOf, lookedAt, type Phase } from "./snapshots.ts";
import { traceCall } from "./trace-calls.ts";
import { remark, TRACE_VERSION, type TraceEvent, traceTime } from "./trace-events.ts";
import type { TraceWriter } from "./trace-writer.ts";
import { traceEntries, writeTraceZip } from "./trace-zip.ts";
import type { OnLimit, Warn } from "./warn.ts";
import { zipStream } from "./zip.ts";

type Parts = Pick<RecorderOptions, "dir" | "runId" | "title" | "viewport" | "chromeVersion" | "options" | "source"> & {
  limits: RecordingLimits;
  warn: Warn;
  onLimit: OnLimit;
  mask: Clean;
  learn: (secret: string) => void;
  hasSecrets: () => boolean;
  writer: TraceWriter | null;
  blobs: Blobs;
  pictures: Pictures | null;
};

type TraceStack = Extract<TraceEvent, { type: "before" }>["stack"];

/** A page is taken to be still as a snapshot of so long ago has it. */
const SAME_MS = 50;

/** States: recording → finishing → finished → released, when its last reader has left. */
export class RunRecorder implements Recorder {
  readonly #parts: Parts;
  readonly #pages: PageWatch | null;
  readonly #closing = new AbortController();
  readonly #released = Promise.withResolvers<void>();
  #steps = 0;
  #actions = 0;
  #group: { callId: string; title: string; stack: TraceStack } | null = null;
  #readers = 0;
  #finishing: Promise<void> | null = null;
  #isFinished = false;
  /** The last snapshot after an action: where the next one has none before it, viewers show that. */
  #shown: { page: Page | null; at: number } = { page: null, at: 0 };
  /** Size of `trace.zip`, once it is there. */
  #zipBytes: number | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { writer, limits, warn, options } = parts;
    this.#pages = writer
      ? new PageWatch({
          write: (event) => writer.append(event),
          limit: limits.consoleMessages,
          onLimit: () => parts.onLimit(`${limits.consoleMessages} console messages`),
          warn,
          recording: {
            ...parts,
            film: options.screenshots && !parts.hasSecrets(),
            filmBudget: { framesLeft: limits.filmFrames },
            requestBudget: { requestsLeft: limits.requests },
            write: (event, html) => writer.append(event, html),
          },
        })
      : null;
    this.#writeContext();
  }

  async attach(page: Page): Promise<void> {
    await this.#pages?.attach(page);
  }

  step(index: number, title: string): { end(error?: string | null): void } {
    const callId = `step@${++this.#steps}`;
    const group = { callId, title, stack: this.#stackOf(index) };
    this.#group = group;
    this.#parts.writer?.append({
      type: "before",
      callId,
      startTime: traceTime(),
      class: "Tracing",
      method: "tracingGroup",
      title: `Step ${index + 1}: ${title}`,
      params: {},
      stack: group.stack,
    });
    return {
      end: (error = null) => {
        if (this.#group === group) this.#group = null;
        const failed = error === null ? {} : { error: { name: "Error", message: error } };
        this.#parts.writer?.append({ type: "after", callId, endTime: traceTime(), ...failed });
      },
    };
  }

  action({ seq, action, title, page }: { seq: number; action: Action; title: string | null; page: Page }): ActionRecording {
    const callId = `call@${++this.#actions}`;
    const write = (event: TraceEvent) => this.#parts.writer?.append(event) ?? false;
    const group = this.#group;
    let endTime: number | null = null;
    let current = page;
    const isShown = this.#shown.page === page && performance.now() < this.#shown.at + SAME_MS;
    const before = isShown ? undefined : `before@${callId}`;
    let isTold = false;
    let isPlaced = false;
    let found: FoundPlace | null = null;
    write({
      type: "before",
      callId,
      startTime: traceTime(),
      ...traceCall(action, title === group?.title ? null : title),
      parentId: group?.callId,
      pageId: this.#pages?.idOf(page),
      stack: group?.stack,
      beforeSnapshot: before,
    });
    if (before) void this.#capture(page, callId, "before"); // not waited for: what is asked of the page next comes after it
    void this.#with(page, (recording) => recording.actionBegan());
    return {
      observer: {
        log: (message) => void write({ type: "log", callId, time: traceTime(), message }),
        found: (where, at) => {
          [current, found] = [where, at];
        },
        input: async ({ point, box, at, page: where }) => {
          current = where; // the action may have waited for a tab that was opening
          const inputSnapshot = `input@${callId}`;
          if (isPlaced && point) write({ type: "input", callId, point, box, inputSnapshot }); // it has moved, and is tried again
          if (isPlaced) return; // or the key after a text in a field: what was typed there is known
          if (!isTold && !write({ type: "input", callId, point, box, inputSnapshot })) return;
          isTold = true; // what was typed where the focus is must be known before the key after it, though that has no snapshot of its own
          isPlaced = at !== undefined;
          await this.#capture(current, callId, "input", aimOf(action, at));
        },
      },
      screenshot: async (shown, actionName, signal) => {
        endTime ??= traceTime(); // the picture is not part of what was done
        const picture = await this.#picture(shown, screenshotName(seq, actionName), signal);
        if (picture && this.#parts.hasSecrets()) await this.#film(shown, picture);
        return picture?.name ?? null;
      },
      end: ({ error, resultText }) => {
        const isWritten = write({
          type: "after",
          callId,
          endTime: endTime ?? traceTime(),
          result: resultText === null ? undefined : { value: resultText },
          error: error === null ? undefined : { name: "Error", message: error },
          afterSnapshot: `after@${callId}`,
        });
        if (isWritten) {
          this.#shown = { page: current, at: performance.now() };
          void this.#capture(current, callId, "after", found && lookedAt(found));
        }
        void this.#with(current, (recording) => recording.actionEnded());
      },
    };
  }

  async *zip(): AsyncGenerator<Uint8Array, void, undefined> {
    const { dir, options, writer, blobs } = this.#parts;
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
        yield* zipStream(traceEntries(dir, { bytes: writer.bytes, blobs: new Map(blobs.sizes) }));
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.finish();
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
    await this.#pages?.close();
    try {
      if (this.#parts.writer) this.#zipBytes = await this.#writeZip(this.#parts.writer);
    } catch (cause) {
      this.#parts.warn(`${TRACE_FILE} could not be written`, cause);
    }
    this.#isFinished = true;
    this.#release();
  }

  async #writeZip(writer: TraceWriter): Promise<number | null> {
    const { dir, blobs } = this.#parts;
    writer.appendClosing("The run ended before this action did", traceTime());
    await writer.close();
    if (!writer.failed) return writeTraceZip(dir, traceEntries(dir, { bytes: writer.bytes, blobs: blobs.sizes }));
    const entries = await salvagedEntries(dir, "The recording broke off while this action ran");
    return entries && writeTraceZip(dir, entries);
  }

  /** A covered picture in place of Chrome's film. */
  async #film(page: Page, { jpeg }: Picture): Promise<void> {
    const { writer, blobs, viewport } = this.#parts;
    const pageId = this.#pages?.idOf(page);
    const timestamp = traceTime();
    const sha1 = writer && pageId ? await blobs.addContent(jpeg, "jpeg") : null;
    if (sha1 && pageId) writer?.append({ type: "screencast-frame", pageId, sha1, ...viewport, timestamp });
  }

  async #picture(page: Page, name: string, signal: AbortSignal | undefined): Promise<Picture | null> {
    const { signal: closing } = this.#closing;
    const { pictures } = this.#parts;
    if (closing.aborted || !pictures) return null;
    return await pictures.take(page, name, signal ? AbortSignal.any([signal, closing]) : closing);
  }

  /** Never rejects. Pages that are not attached have no snapshots. */
  async #capture(page: Page, callId: string, phase: Phase, aim: Aim | null = null): Promise<void> {
    await this.#with(page, (recording) => recording.capture(callId, phase, aim));
  }

  async #with(page: Page, work: (recording: PageRecording) => Promise<void> | void): Promise<void> {
    const found = this.#pages?.recordingOf(page) ?? null;
    const recording = found instanceof Promise ? await found : found;
    if (recording) await work(recording);
  }

  #stackOf(step: number): TraceStack {
    const { source } = this.#parts;
    const line = source?.stepLines[step];
    return source && line !== undefined ? [{ file: source.file, line, column: 1, function: `Step ${step + 1}` }] : undefined;
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
