/** Snapshots of a page: every frame at one moment, each written in the order in which it was taken. */
import type { Action } from "../../shared/action.ts";
import type { FoundPlace, InputPlace } from "../actions/attempt.ts";
import type { Blobs } from "./blobs.ts";
import type { Clean } from "./clean.ts";
import { FIELD_VALUES } from "./field-values.ts";
import { callAgent, type Frame, type Frames, frameName, type History, type World } from "./frames.ts";
import type { Aimed, CaptureRequest, Moment } from "./in-page/agent.ts";
import { CAPTURE } from "./in-page/source.ts";
import { maskedHtml } from "./snapshot-html.ts";
import { type TraceEvent, traceTime } from "./trace-events.ts";
import type { OnLimit, Warn } from "./warn.ts";

/** Where input goes; `frameId` is the protocol's. */
export type Aim = { frameId: string | null; aimed: Aimed; secret: boolean };
export type Phase = "before" | "input" | "after";
export type SnapshotLimits = { snapshotMs: number; snapshotBytes: number; frames: number };

/** Where the input of an action goes; keys without a place, to what has the focus. What a credential is typed into is not shown. */
export function aimOf(action: Action, at: InputPlace | undefined): Aim {
  const isTyped = action.action === "key_press";
  const secret = isTyped && action.params.credential_ref !== undefined;
  if (!at) return { frameId: null, aimed: isTyped ? "focused" : null, secret };
  const { frameId, x, y, box } = at;
  return { frameId, aimed: { x, y, box }, secret };
}

/** What an action has read, waited for, chosen in or scrolled. */
export const lookedAt = ({ frameId, ...way }: FoundPlace): Aim => ({ frameId, aimed: way, secret: false });

type SnapshotsOptions = {
  pageId: string;
  frames: Frames;
  blobs: Blobs;
  limits: SnapshotLimits;
  write: (event: TraceEvent, html: string) => boolean;
  mask: Clean;
  /** Hears the values of password fields, before anything that may hold them is written. */
  learn: (secret: string) => void;
  onLimit: OnLimit;
  warn: Warn;
};

/** So many captures may wait for a page that does not answer; what comes then is left out. */
const MAX_WAITING = 60;
/** How long a capture waits for frames that have just come. */
const MARK_LIMIT_MS = 200;
/** How long input waits for the snapshot of the frame that it goes to. */
const INPUT_LIMIT_MS = 400;
/** A document that has not answered within the limit is not asked again for so long. */
const MUTE_MS = 10_000;
const LARGE_MS = 30_000;

/** `taken`: what input waits for, never long. `written`: all of it is in the trace, or is not going to be. Neither rejects. */
export type Capture = { taken: Promise<void>; written: Promise<void> };
const NOTHING: Capture = { taken: Promise.resolve(), written: Promise.resolve() };

export class Snapshots {
  readonly #options: SnapshotsOptions;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** The captures of several calls follow one another in the page, whether one waits for them or not. */
  capture(callId: string, phase: Phase, aim: Aim | null = null): Capture {
    const { frames, onLimit } = this.#options;
    if (this.#waiting >= MAX_WAITING) onLimit(`${MAX_WAITING} snapshots that wait for a page`);
    if (frames.isStopped || this.#waiting >= MAX_WAITING) return NOTHING;
    this.#waiting += 1;
    const taken = Promise.withResolvers<void>();
    const all = this.#captureAll(callId, phase, aim, taken.resolve).finally(() => {
      this.#waiting -= 1;
    });
    return { taken: within(INPUT_LIMIT_MS, taken.promise), written: all.then(() => this.#tail) };
  }

  /** Resolves once what was captured is in the trace. */
  async flush(): Promise<void> {
    await this.#tail;
  }

  async #captureAll(callId: string, phase: Phase, aim: Aim | null, onTaken: () => void): Promise<void> {
    const { frames } = this.#options;
    const all = frames.all();
    const fresh = all.filter(({ id }) => id !== frames.mainId).map(({ marked }) => marked);
    if (fresh.length > 0) await within(MARK_LIMIT_MS, Promise.all(fresh));
    const captures = all.map((frame) => {
      const isAimed = aim !== null && (aim.aimed === "focused" || (aim.frameId ?? frames.mainId) === frame.id); // the focus may be in any: each agent knows
      return { isAimed, taking: this.#captureFrame(frame, callId, phase, isAimed ? aim : null) };
    });
    void Promise.all(captures.map(({ isAimed, taking }) => isAimed && taking)).then(onTaken);
    await Promise.all(captures.map(({ taking }) => taking));
  }

  /** Resolves once the frame has answered, and what it hides is known; never rejects. */
  async #captureFrame(frame: Frame, callId: string, phase: Phase, aim: Aim | null): Promise<void> {
    const { learn, limits } = this.#options;
    const world = await this.#options.frames.worldOf(frame);
    if (!world || performance.now() < world.muteUntil) return;
    const whole = world.history === null || world.history.isBroken;
    if (whole) world.history = { isBroken: false, shown: [] };
    const history = world.history as History;
    const askedAt = performance.now();
    try {
      const request: CaptureRequest = {
        whole,
        callId,
        aimed: aim?.aimed ?? null,
        secret: aim?.secret ?? false,
        canvases: phase !== "input",
        values: FIELD_VALUES,
        maxChars: limits.snapshotBytes,
      };
      const [html, text] = await captureIn(world, request, limits.snapshotMs);
      const about = JSON.parse(text) as Moment;
      for (const secret of about.secrets) learn(secret);
      if (html === "") throw this.#tooLarge(world);
      const moment = { frame, world, callId, phase, html, about, timestamp: traceTime(), whole, history };
      this.#tail = this.#tail
        .then(() => this.#write(moment))
        .catch((cause) => {
          history.isBroken = true;
          this.#options.warn("A snapshot could not be written", cause);
        });
    } catch {
      history.isBroken = true; // the document went away, or does not answer: the run's course, not a fault
      if (performance.now() - askedAt >= limits.snapshotMs) world.muteUntil = performance.now() + MUTE_MS;
    }
  }

  async #write({ frame, world, callId, phase, html: given, about, timestamp, whole, history }: Captured): Promise<void> {
    const { pageId, frames, limits, write, mask, blobs } = this.#options;
    if (history.isBroken || (!whole && frame.written !== history)) {
      history.isBroken = true; // it refers to snapshots that are not there
      return;
    }
    const { html, isUnmasked } = maskedHtml(given, mask, history.shown);
    if (isUnmasked) {
      history.isBroken = true;
      return;
    }
    if (Buffer.byteLength(html) > limits.snapshotBytes) {
      history.isBroken = true;
      this.#tooLarge(world);
      return;
    }
    const resourceOverrides = [];
    for (const { url, text, ref } of about.overrides) {
      if (ref !== undefined) resourceOverrides.push({ url, ref });
      else {
        const bytes = Buffer.from(mask(text ?? ""));
        const sha1 = await blobs.addContent(bytes, "css");
        if (sha1) resourceOverrides.push({ url, sha1 });
      }
    }
    const snapshot = {
      callId,
      snapshotName: `${phase}@${callId}`,
      pageId,
      frameId: frameName(frame.id),
      frameUrl: about.url,
      ...(about.doctype === null ? {} : { doctype: about.doctype }),
      viewport: about.viewport,
      timestamp,
      wallTime: about.wallTime,
      collectionTime: about.collectionTime,
      resourceOverrides,
      isMainFrame: frame.id === frames.mainId,
    };
    if (write({ type: "frame-snapshot", snapshot }, html)) frame.written = history;
    else history.isBroken = true;
  }

  /** It will hardly be smaller the next time: its document is left alone for a while. */
  #tooLarge(world: World): Error {
    const { onLimit, limits } = this.#options;
    onLimit(`${limits.snapshotBytes} bytes of a snapshot`);
    world.muteUntil = performance.now() + LARGE_MS;
    return new Error("The snapshot is too large");
  }
}

type Captured = {
  frame: Frame;
  world: World;
  callId: string;
  phase: Phase;
  html: string;
  about: Moment;
  timestamp: number;
  whole: boolean;
  history: History;
};

async function captureIn(world: World, request: CaptureRequest, limitMs: number): Promise<[string, string]> {
  const call = { functionDeclaration: CAPTURE, executionContextId: world.contextId, returnByValue: true, arguments: [{ value: request }] };
  return (await callAgent(world, call, limitMs)) as [string, string];
}

/** Resolves when the work is done, or the time is over. */
async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
