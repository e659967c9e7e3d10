/** What is recorded of one page while it lives: snapshots, film strip, requests; over a session of its own, so that the run's is untouched. */
import type { CDPSession, Page } from "puppeteer-core";
import { withDeadline } from "../../shared/deadline.ts";
import type { Blobs } from "./blobs.ts";
import type { Clean } from "./clean.ts";
import { Film, type FilmBudget } from "./film.ts";
import { Frames } from "./frames.ts";
import type { RecordingLimits } from "./limits.ts";
import { Network, type RequestBudget } from "./network.ts";
import { type Heard, listen } from "./page-events.ts";
import { type Aim, type Phase, Snapshots } from "./snapshots.ts";
import type { TraceEvent } from "./trace-events.ts";
import type { OnLimit, Warn } from "./warn.ts";

/** How long the end waits for what a page still owes. */
const LAST_MS = 1_000;

export type PageRecordingOptions = {
  viewport: { width: number; height: number };
  limits: RecordingLimits;
  /** What its frames in other processes say; the page's own console is not listened to here. */
  heard: Heard;
  blobs: Blobs;
  /** Is there a film strip? */
  film: boolean;
  hasSecrets: () => boolean;
  filmBudget: FilmBudget;
  requestBudget: RequestBudget;
  write: (event: TraceEvent, html?: string) => boolean;
  mask: Clean;
  learn: (secret: string) => void;
  onLimit: OnLimit;
  warn: Warn;
};

export class PageRecording {
  readonly #session: CDPSession;
  readonly #frames: Frames;
  readonly #snapshots: Snapshots;
  readonly #network: Network;
  readonly #film: Film | null;
  readonly #pageId: string;
  readonly #heard: Heard;
  readonly #captures = new Set<Promise<void>>();
  /** Of frames in other processes. */
  readonly #children = new Map<string, CDPSession>();

  private constructor(session: CDPSession, pageId: string, options: PageRecordingOptions) {
    this.#session = session;
    this.#pageId = pageId;
    this.#heard = options.heard;
    const { frames } = options.limits;
    this.#frames = new Frames(frames, () => options.onLimit(`${frames} frames of a page`));
    this.#snapshots = new Snapshots({ ...options, pageId, frames: this.#frames });
    this.#network = new Network({ ...options, pageId, budget: options.requestBudget });
    this.#film = options.film ? new Film(session, { ...options, pageId, budget: options.filmBudget }) : null;
  }

  /** @throws when the page cannot be recorded, as when it has closed already */
  static async open(page: Page, pageId: string, options: PageRecordingOptions): Promise<PageRecording> {
    const session = await page.createCDPSession();
    const recording = new PageRecording(session, pageId, options);
    await recording.#watch(session, true);
    return recording;
  }

  async #watch(session: CDPSession, isMain: boolean): Promise<void> {
    session.on("Target.attachedToTarget", ({ sessionId }) => {
      const child = session.connection()?.session(sessionId);
      if (!child) return;
      this.#children.set(sessionId, child);
      this.#watch(child, false).catch(() => {}); // the frame has gone again
      listen(child, this.#pageId, this.#heard).catch(() => {}); // as above
    });
    session.on("Target.detachedFromTarget", ({ sessionId }) => {
      const child = this.#children.get(sessionId);
      if (child) this.#frames.unwatch(child);
      this.#children.delete(sessionId);
    });
    const sent = [
      this.#frames.watch(session, isMain),
      this.#network.watch(session),
      session.send("Target.setAutoAttach", {
        autoAttach: true,
        waitForDebuggerOnStart: true, // else the first requests of a frame in another process are missed
        flatten: true,
        filter: [{ type: "iframe" }, { exclude: true }],
      }),
    ];
    if (!isMain) session.send("Runtime.runIfWaitingForDebugger").catch(() => {}); // at once: no frame waits for our answers
    await Promise.all(sent);
  }

  actionBegan(): void {
    this.#film?.actionBegan();
  }

  actionEnded(): void {
    this.#film?.actionEnded();
  }

  /** Resolves when input may follow; what is then still to be written, `close` waits for. Never rejects. */
  async capture(callId: string, phase: Phase, aim: Aim | null = null): Promise<void> {
    const { taken, written } = this.#snapshots.capture(callId, phase, aim);
    const capture = written.finally(() => this.#captures.delete(capture));
    this.#captures.add(capture);
    await taken;
  }

  /** Waits a moment for what is still to come, then lets go of the page. Never rejects. */
  async close(): Promise<void> {
    await withDeadline(LAST_MS, async () => {
      await Promise.all([...this.#captures, this.#network.idle()]);
      await this.#snapshots.flush();
    }).catch(() => {}); // the page hangs: the end does not wait for it
    this.#network.end();
    await this.#film?.stop();
    this.#session.removeAllListeners();
    this.#session.detach().catch(() => {}); // its page or browser has gone
  }
}
