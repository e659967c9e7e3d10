/**
 * The film strip of a page: a picture after each action, and while nothing is done for a while one whenever something was drawn. Chrome
 * copies every frame while it films, so it films only then; at most so many pictures a second.
 */
import type { CDPSession, Protocol } from "puppeteer-core";
import type { Blobs } from "./blobs.ts";
import { type TraceEvent, traceTime } from "./trace-events.ts";
import type { OnLimit } from "./warn.ts";

export type FilmLimits = {
  /** The longer side of a picture, in pixels. */
  filmPixels: number;
  /** JPEG quality, 0–100. */
  filmQuality: number;
  filmPerSecond: number;
  /** Pictures of the whole run. */
  filmFrames: number;
};
/** What is left of the run's pictures, shared by its pages. */
export type FilmBudget = { framesLeft: number };

const CALL_LIMIT_MS = 2_000;
/** So long after an action has begun or ended Chrome films what happens by itself. */
const QUIET_MS = 300;

type FilmOptions = {
  pageId: string;
  viewport: { width: number; height: number };
  /** From then on there is no film: it would show them. */
  hasSecrets: () => boolean;
  limits: FilmLimits;
  budget: FilmBudget;
  blobs: Blobs;
  write: (event: TraceEvent) => void;
  onLimit: OnLimit;
};

export class Film {
  readonly #session: CDPSession;
  readonly #options: FilmOptions;
  readonly #writing = new Set<Promise<void>>();
  #mode: "off" | "one picture" | "running" = "off";
  /** Until a picture may be taken, or Chrome films. */
  #glance: NodeJS.Timeout | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;
  #isOver = false;

  constructor(session: CDPSession, options: FilmOptions) {
    this.#session = session;
    this.#options = options;
    session.on("Page.screencastFrame", (frame) => this.#onFrame(frame));
  }

  /** An action begins: it takes the page's time for itself, unless it takes long. */
  actionBegan(): void {
    if (this.#mode === "running") this.#turn("off");
    this.#rest();
  }

  /** An action is over: a picture of what it has left. */
  actionEnded(): void {
    this.#rest();
    if (this.#isOver || this.#glance) return;
    const waitMs = this.#lastAt + this.#intervalMs - performance.now();
    this.#glance = setTimeout(
      () => {
        this.#glance = undefined;
        if (this.#mode === "off") this.#turn("one picture");
      },
      Math.max(0, waitMs),
    );
  }

  /** Resolves once what came is in the trace. */
  async stop(): Promise<void> {
    this.#end();
    await Promise.all(this.#writing);
  }

  get #intervalMs(): number {
    return 1000 / this.#options.limits.filmPerSecond;
  }

  #rest(): void {
    clearTimeout(this.#quiet);
    if (!this.#isOver) this.#quiet = setTimeout(() => this.#turn("running"), QUIET_MS);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#glance);
    clearTimeout(this.#quiet);
    this.#turn("off");
  }

  #turn(mode: "off" | "one picture" | "running"): void {
    const was = this.#mode;
    this.#mode = mode;
    if (was === mode) return;
    if (mode === "off")
      this.#session.send("Page.stopScreencast").catch(() => {}); // the page has gone
    else if (was === "off") this.#start().catch(() => {}); // as above, or it does not answer: it has no film
  }

  async #start(): Promise<void> {
    const { viewport, limits } = this.#options;
    const scale = Math.min(1, limits.filmPixels / Math.max(viewport.width, viewport.height));
    const even = (side: number) => Math.max(2, Math.floor((side * scale) / 2) * 2);
    const size = { maxWidth: even(viewport.width), maxHeight: even(viewport.height) };
    const how = { format: "jpeg", quality: limits.filmQuality, ...size, everyNthFrame: 1 } as const;
    await this.#session.send("Page.startScreencast", how, { timeout: CALL_LIMIT_MS });
  }

  #onFrame({ data, sessionId, metadata }: Protocol.Page.ScreencastFrameEvent): void {
    const { budget, limits, hasSecrets, onLimit } = this.#options;
    if (hasSecrets() || budget.framesLeft <= 0) {
      if (!hasSecrets()) onLimit(`${limits.filmFrames} pictures of the film strip`);
      this.#end();
    }
    if (this.#isOver || this.#mode === "off") return;
    if (this.#mode === "one picture") this.#turn("off");
    else setTimeout(() => this.#session.send("Page.screencastFrameAck", { sessionId }).catch(() => {}), this.#intervalMs); // a caret that blinks costs a few a second
    const now = performance.now();
    if (now - this.#lastAt < this.#intervalMs) return; // Chrome has two on their way
    this.#lastAt = now;
    budget.framesLeft -= 1;
    const writing = this.#keep(data, metadata).finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
  }

  async #keep(data: string, { deviceWidth, deviceHeight, timestamp: swappedAt }: Protocol.Page.ScreencastFrameMetadata): Promise<void> {
    const { pageId, blobs, write } = this.#options;
    const timestamp = traceTime();
    const sha1 = await blobs.addContent(Buffer.from(data, "base64"), "jpeg");
    if (sha1 === null || !(deviceWidth > 0 && deviceHeight > 0)) return;
    const swapped = swappedAt === undefined ? {} : { frameSwapWallTime: swappedAt * 1000 };
    write({ type: "screencast-frame", pageId, sha1, width: deviceWidth, height: deviceHeight, timestamp, ...swapped });
  }
}
