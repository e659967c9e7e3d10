/** What a page is doing, from Chrome's own events: its requests, and where it navigates. Nothing is polled. */
import type { CDPSession, Protocol } from "puppeteer-core";
import { pause } from "../../shared/deadline.ts";

/** Requests that change what a page shows. Pictures, fonts, beacons, sockets and event streams do not hold anybody up. */
const COUNTED = new Set<Protocol.Network.ResourceType>(["Document", "XHR", "Fetch", "Script", "Stylesheet"]);
/** A request that takes longer than this is a long poll or a slow server; what waits for it goes on. */
const REQUEST_CAP_MS = 2_000;
/** A navigation that was asked for and has not begun by then does not come: refused, or a download. */
const NAVIGATION_START_MS = 1_000;

type Request = { startedAt: number; session: CDPSession };
export type Navigation = { requestedAt: number; loaderId: string | null };
/** How the last document of the main frame was answered. */
export type DocumentResponse = { loaderId: string; status: number; statusText: string };

export class Activity {
  readonly #requests = new Map<string, Request>();
  readonly #listeners = new Set<() => void>();
  #mainFrame = "";
  #navigation: Navigation | null = null;
  #commits = 0;
  #loaderId = "";
  #url = "";
  #loaded = true;
  #windowsOpened = 0;
  #inputAt = Number.NEGATIVE_INFINITY;
  #typed = false;
  #changedAt = Number.NEGATIVE_INFINITY;
  #response: DocumentResponse | null = null;
  #download: string | null = null;
  #frames = new Set<string>();

  /** Where the main frame is, as soon as it is there. */
  get url(): string {
    return this.#url;
  }
  get mainFrame(): string {
    return this.#mainFrame;
  }
  /** How many documents the main frame has had. */
  get commits(): number {
    return this.#commits;
  }
  /** The main frame's document on its way, until it is there or has failed. */
  get navigation(): Navigation | null {
    const { loaderId = null, requestedAt = 0 } = this.#navigation ?? {};
    if (this.#navigation && loaderId === null && performance.now() - requestedAt > NAVIGATION_START_MS) this.#navigation = null;
    return this.#navigation;
  }
  /** How many windows the page has opened. */
  get windowsOpened(): number {
    return this.#windowsOpened;
  }
  get response(): DocumentResponse | null {
    return this.#response;
  }
  /** The name of the file whose download began last. */
  get download(): string | null {
    return this.#download;
  }
  get hasChildFrames(): boolean {
    return this.#frames.size > 0;
  }
  /** Was the last input text? */
  get typed(): boolean {
    return this.#typed;
  }
  /** Milliseconds since the last input, or since the document that it led to. */
  get sinceInputMs(): number {
    return performance.now() - this.#changedAt;
  }

  start(tree: Protocol.Page.FrameTree): void {
    this.#mainFrame = tree.frame.id;
    this.#url = tree.frame.url + (tree.frame.urlFragment ?? "");
    this.#loaderId = tree.frame.loaderId;
    const add = ({ childFrames = [] }: Protocol.Page.FrameTree) => {
      for (const child of childFrames) {
        this.#frames.add(child.frame.id);
        add(child);
      }
    };
    add(tree);
  }

  /** Input is about to be sent: what begins from now on is its doing. */
  markInput(typed = false): void {
    this.#inputAt = performance.now();
    this.#typed = typed;
    this.#changedAt = this.#inputAt;
    this.#download = null;
  }

  /** Requests that began since the last input and are under way, none older than the cap. */
  get pending(): number {
    return this.#count(this.#inputAt);
  }
  /** Requests under way, whatever began them. */
  get busy(): boolean {
    return this.#navigation !== null || this.#count(Number.NEGATIVE_INFINITY) > 0;
  }

  #count(since: number): number {
    const now = performance.now();
    let count = 0;
    for (const { startedAt } of this.#requests.values()) if (startedAt >= since && now - startedAt < REQUEST_CAP_MS) count += 1;
    return count;
  }

  /** Resolves when `holds()` is true, looked at after each event, or after `limitMs`; false then. */
  async until(holds: () => boolean, limitMs: number, signal: AbortSignal): Promise<boolean> {
    const end = performance.now() + limitMs;
    while (!holds()) {
      signal.throwIfAborted();
      const restMs = end - performance.now();
      if (restMs <= 0) return false;
      await this.#next(Math.min(restMs, this.#nextExpiryMs()), signal);
    }
    return true;
  }

  /** The promise's outcome, or null as soon as `holds()` is true. */
  async orOnce<T>(promise: Promise<T>, holds: () => boolean, signal: AbortSignal): Promise<T | null> {
    const over = new AbortController();
    const event = this.until(holds, 2 ** 31 - 1, AbortSignal.any([signal, over.signal])).then(() => null);
    event.catch(() => {}); // heard of by the race, unless that is over
    try {
      return await Promise.race([promise, event]);
    } finally {
      over.abort();
    }
  }

  /** The caps pass without an event. */
  #nextExpiryMs(): number {
    const now = performance.now();
    let next = this.#navigation ? this.#navigation.requestedAt + NAVIGATION_START_MS - now : Number.POSITIVE_INFINITY;
    if (next <= 0) next = Number.POSITIVE_INFINITY;
    for (const { startedAt } of this.#requests.values()) {
      const leftMs = startedAt + REQUEST_CAP_MS - now;
      if (leftMs > 0) next = Math.min(next, leftMs);
    }
    return next === Number.POSITIVE_INFINITY ? 1_000 : next + 1;
  }

  async #next(limitMs: number, signal: AbortSignal): Promise<void> {
    const waited = new AbortController();
    let wake = () => {};
    const event = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#listeners.add(wake);
    const timer = pause(limitMs, AbortSignal.any([signal, waited.signal])).catch(() => {}); // the signal is asked right after
    try {
      await Promise.race([event, timer]);
    } finally {
      this.#listeners.delete(wake);
      waited.abort();
    }
    signal.throwIfAborted();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** The page's own session, or one of a frame that lives in another process. */
  watch(session: CDPSession): void {
    session.on("Network.requestWillBeSent", ({ requestId, type, redirectResponse }) => {
      if (redirectResponse && this.#requests.has(requestId)) return; // the same one, a hop further
      if (type && COUNTED.has(type)) this.#requests.set(requestId, { startedAt: performance.now(), session });
      this.#changed();
    });
    session.on("Network.responseReceived", ({ requestId, type, frameId, response }) => {
      if (response.mimeType === "text/event-stream") this.#finished(requestId); // it goes on for ever
      if (type === "Document" && frameId === this.#mainFrame)
        this.#response = { loaderId: requestId, status: response.status, statusText: response.statusText };
    });
    session.on("Network.loadingFinished", ({ requestId }) => this.#finished(requestId));
    session.on("Network.loadingFailed", ({ requestId }) => this.#failed(requestId));
    session.on("Page.frameRequestedNavigation", ({ frameId, disposition }) => {
      if (frameId === this.#mainFrame && disposition === "currentTab") this.#navigate(null);
    });
    session.on("Page.frameStartedNavigating", ({ frameId, loaderId, navigationType }) => {
      if (frameId === this.#mainFrame && !/sameDocument/i.test(navigationType)) this.#navigate(loaderId);
    });
    session.on("Page.frameNavigated", ({ frame }) => this.#navigated(frame));
    session.on("Page.navigatedWithinDocument", ({ frameId, url }) => {
      if (frameId === this.#mainFrame) this.#url = url;
      this.#changed();
    });
    session.on("Page.domContentEventFired", () => this.#domRead());
    session.on("Page.frameStoppedLoading", ({ frameId }) => {
      if (frameId === this.#mainFrame && this.#navigation?.loaderId) this.#navigation = null; // 204, a download, or stopped
      this.#changed();
    });
    session.on("Page.downloadWillBegin", ({ suggestedFilename }) => {
      this.#download = suggestedFilename;
      this.#navigation = null;
      this.#changed();
    });
    session.on("Page.windowOpen", () => {
      this.#windowsOpened += 1;
      this.#changed();
    });
    session.on("Page.frameAttached", ({ frameId }) => void this.#frames.add(frameId));
    session.on("Page.frameDetached", ({ frameId, reason }) => {
      if (reason === "remove") this.#frames.delete(frameId);
    });
  }

  /** A frame's own session has ended: nobody will tell how its requests ended. */
  unwatch(session: CDPSession): void {
    for (const [id, request] of this.#requests) if (request.session === session) this.#requests.delete(id);
    this.#changed();
  }

  /** Is the main frame's document read to its end? */
  get loaded(): boolean {
    return this.#loaded;
  }

  #domRead(): void {
    this.#loaded = true;
    this.#changed();
  }

  #navigate(loaderId: string | null): void {
    this.#navigation = {
      requestedAt: this.#navigation?.requestedAt ?? performance.now(),
      loaderId: loaderId ?? this.#navigation?.loaderId ?? null,
    };
    this.#changed();
  }

  #navigated(frame: Protocol.Page.Frame): void {
    if (frame.parentId) return;
    this.#mainFrame = frame.id;
    this.#url = frame.url + (frame.urlFragment ?? "");
    this.#commits += 1;
    this.#loaded = false;
    this.#navigation = null;
    this.#loaderId = frame.loaderId;
    if (this.#inputAt > Number.NEGATIVE_INFINITY) this.#changedAt = performance.now();
    this.#frames.clear();
    for (const id of this.#requests.keys()) if (id !== frame.loaderId) this.#requests.delete(id); // the old document's
    this.#changed();
  }

  #finished(requestId: string): void {
    this.#requests.delete(requestId);
    this.#changed();
  }

  #failed(requestId: string): void {
    if (this.#navigation?.loaderId === requestId) this.#navigation = null;
    this.#finished(requestId);
  }

  get loaderId(): string {
    return this.#loaderId;
  }
}
