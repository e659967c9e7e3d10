/** The film strip of a page: pictures that Chrome gives when something was drawn, at most so many a second. */
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
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(session: CDPSession, options: FilmOptions) {
    this.#session = session;
    this.#options = options;
    session.on("Page.screencastFrame", (frame) => this.#onFrame(frame));
  }

  async start(): Promise<void> {
    const { viewport, limits } = this.#options;
    const scale = Math.min(1, limits.filmPixels / Math.max(viewport.width, viewport.height));
    const even = (side: number) => Math.max(2, Math.floor((side * scale) / 2) * 2);
    const size = { maxWidth: even(viewport.width), maxHeight: even(viewport.height) };
    await this.#session.send(
      "Page.startScreencast",
      { format: "jpeg", quality: limits.filmQuality, ...size, everyNthFrame: 1 },
      { timeout: CALL_LIMIT_MS },
    );
  }

  /** Resolves once what came is in the trace. */
  async stop(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#writing);
  }

  #onFrame({ data, sessionId, metadata }: Protocol.Page.ScreencastFrameEvent): void {
    if (this.#options.hasSecrets()) this.#isOver = true; // never acknowledged: Chrome sends no more
    if (this.#isOver) return;
    const { budget, limits } = this.#options;
    if (budget.framesLeft <= 0) {
      this.#options.onLimit(`${limits.filmFrames} pictures of the film strip`);
      this.#isOver = true; // never acknowledged: Chrome sends no more
      return;
    }
    budget.framesLeft -= 1;
    const writing = this.#keep(data, metadata).finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
    // Chrome gives the next one only after this: late, so that a caret that blinks or an animation costs a few a second.
    this.#timer = setTimeout(() => {
      this.#session.send("Page.screencastFrameAck", { sessionId }).catch(() => {}); // the page has gone
    }, 1000 / limits.filmPerSecond);
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
