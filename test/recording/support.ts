/** For tests of recordings: pages that need not be real, pictures, actions. */
import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "puppeteer-core";
import type { ActionLogEntry } from "../../pool/recording/action-log.ts";
import { openRecorder, type Recorder, type RecorderOptions } from "../../pool/recording/recorder.ts";
import { summarise } from "../../pool/recording/summary.ts";
import type { Action } from "../../shared/action.ts";

export const RUN_ID = "5c9f3d0e-8a51-4b7e-9d2c-6f1a0b3c4d5e";
const VIEWPORT = { width: 1280, height: 720 };

/** Dispose it, or the folder stays. */
export async function openTempFolder(parent = tmpdir()): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(parent, "us-rec-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }) };
}

/** The key of a page in calls that never talk to Chrome. */
export const aPage = (): Page => ({ isClosed: () => false, once() {}, createCDPSession: () => new Promise(() => {}) }) as unknown as Page;

/** Not a picture, but distinct bytes of about that size. */
export const jpeg = (content: string, bytes = 2_000): Uint8Array => Buffer.alloc(bytes, content);

export type TestRecorder = { recorder: Recorder; warnings: Error[] };

export async function startRecorder(dir: string, options: Partial<RecorderOptions> = {}): Promise<TestRecorder> {
  const warnings: Error[] = [];
  let pictures = 0;
  const recorder = await openRecorder({
    dir,
    runId: RUN_ID,
    title: "Cancel order 12345",
    viewport: VIEWPORT,
    chromeVersion: "156.0.8078.79",
    options: { enabled: true, trace: true, screenshots: true },
    takePicture: async () => jpeg(`picture ${++pictures}`),
    warn: (error) => void warnings.push(error as Error),
    ...options,
  });
  return { recorder, warnings };
}

export const goto = (url: string): Action => ({ action: "goto", selector: null, params: { url }, timeout_ms: null });
export const click = (primary: string): Action => ({
  action: "click",
  selector: { primary, fallbacks: [], description: null },
  params: { button: "left", click_count: 1 },
  timeout_ms: null,
});
export const typing = (primary: string, text: string, key?: string): Action => ({
  action: "key_press",
  selector: { primary, fallbacks: [], description: null },
  params: { text, key },
  timeout_ms: null,
});

/** One action from start to end. */
export async function record(recorder: Recorder, seq: number, action: Action, { page = aPage(), error = null as string | null } = {}) {
  const recording = recorder.action({ seq, action, title: null, page });
  recording.observer.log(`looking for what ${action.action} needs`);
  recording.observer.input({ page, point: { x: 10, y: 20 }, box: { x: 0, y: 0, width: 20, height: 40 } });
  const name = await recording.screenshot(page, action.action);
  recording.end({ error, resultText: error === null ? "done" : null });
  return name;
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** Files that this process holds open below a folder. */
export async function openFilesBelow(dir: string): Promise<string[]> {
  const fds = await readdir("/proc/self/fd");
  const targets = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  return targets.filter((target) => target.startsWith(dir));
}

export const logEntry = (seq: number, action: Action, result_text: string | null = "done"): ActionLogEntry => ({
  record: {
    at: "2026-03-01T10:00:00.000Z",
    seq,
    step: 0,
    tool: "playbook",
    action: action.action,
    summary: summarise(action),
    url: "https://shop.test/orders",
    duration_ms: 12.5,
    success: true,
    result_text,
    error: null,
    screenshot: null,
  },
  selector: action.selector,
  params: action.params,
});
