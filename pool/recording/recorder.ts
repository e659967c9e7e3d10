/** Records a run: what was done to its pages, how long it took, how it looked. Nothing in here may change how the run goes or ends. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "puppeteer-core";
import type { Action } from "../../shared/action.ts";
import type { Artifact, RecordingOptions } from "../../shared/recording.ts";
import type { ActionObserver } from "../actions/perform.ts";
import { Blobs } from "./blobs.ts";
import { type Clean, createClean } from "./clean.ts";
import { learnFew } from "./field-values.ts";
import { RECORDING_LIMITS, type RecordingLimits } from "./limits.ts";
import { Pictures, type TakePicture } from "./pictures.ts";
import { RunRecorder } from "./run-recorder.ts";
import { remark, sourceName } from "./trace-events.ts";
import { TraceWriter } from "./trace-writer.ts";
import { BLOBS_FOLDER, EVENTS_FILE, TRACE_FOLDER } from "./trace-zip.ts";
import { sayOnce, warnOnce } from "./warn.ts";

const TEXT_CHARS = 10_000;

export type Source = { file: string; text: string; stepLines: readonly number[] };

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
  /** Hears what is in password fields, so that `mask` replaces it from then on. */
  learn?: (secret: string) => void;
  /** Are there secrets in the run by now? Then the film strip is made of `takePicture`'s pictures, which cover them; Chrome's own film would show what the page shows. */
  hasSecrets?: () => boolean;
  /** The playbook as it is shown beside its actions: a file's name, its text, and the line of each step, from 1. */
  source?: Source;
  limits?: Partial<RecordingLimits>;
};

export type ActionRecording = {
  /** What `perform` tells on its way. */
  observer: ActionObserver;
  /** The action is over: keeps how the page looks now. Returns the picture's name below `screenshots/`; null if there is none. */
  screenshot(page: Page, actionName: string, signal?: AbortSignal): Promise<string | null>;
  end(outcome: { error: string | null; resultText: string | null }): void;
};

/** No method throws, except the stream of `zip()` at its reader. */
export interface Recorder extends AsyncDisposable {
  /** Call for each page, as soon as it exists. Resolves once it is recorded, or will not be, or takes too long to wait for. */
  attach(page: Page): Promise<void>;
  /** A playbook's step, `index` from 0. Actions until its end are shown below it. */
  step(index: number, title: string): { end(error?: string | null): void };
  /** Without a title, or with its step's, the viewer names the action itself, as `Click locator('#cancel')`. */
  action(about: { seq: number; action: Action; title: string | null; page: Page }): ActionRecording;
  /** A valid zip of what is recorded by the first pull; once finished, the file. @throws NOT_FOUND where there is no trace */
  zip(): AsyncIterable<Uint8Array>;
  /** Ends what is open and writes `trace.zip`. Idempotent; disposing does the same. */
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
  learn = () => {},
  hasSecrets = () => false,
  source,
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
            onSlow: () => remark("Recording limit reached: the disk is slow. What it cannot keep up with is left out."),
          });
        })
      : null;
  const onLimit = sayOnce((text) => writer?.append(remark(text)));
  const pictures =
    enabled && screenshots
      ? await opening("The folder for pictures could not be made", () =>
          Pictures.open({
            dir: options.dir,
            limits,
            takePicture: options.takePicture,
            warn,
            remark: (text) => writer?.append(remark(text)),
            onLimit,
          }),
        )
      : null;
  const blobs = new Blobs({ dir: blobsDir, limits, warn, onLimit });
  const hasSource = writer && source && (await blobs.add(sourceName(source.file), Buffer.from(mask(source.text))));
  return new RunRecorder({
    ...options,
    hasSecrets,
    limits,
    warn,
    onLimit,
    mask,
    learn: learnFew(learn),
    writer,
    blobs,
    pictures,
    source: hasSource ? source : undefined,
  });
}
