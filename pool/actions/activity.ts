/** What a page is doing, from Chrome's own events: its requests, and where it navigates. Nothing is polled. */
import type { CDPSession, Protocol } from "puppeteer-core";
import { pause } from "../../shared/deadline.ts";
import { netErrorMeaning, proxyErrorMeaning } from "./net-errors.ts";

/** Requests that change what a page shows. Pictures, fonts, beacons, sockets and event streams hold nobody up. */
const KINDS: Partial<Record<Protocol.Network.ResourceType, "code" | "data">> = {
  Document: "code",
  Script: "code",
  Stylesheet: "code",
  XHR: "data",
  Fetch: "data",
};
/** A request that takes longer than this is a long poll or a slow server; what waits for it goes on. */
const REQUEST_CAP_MS = 2_000;
/** A navigation that was asked for and has not begun by then does not come: refused, or a download. */
const NAVIGATION_START_MS = 1_000;

/** A page that sends on to another, and that to the next, has gone through fewer documents before its `goto` is told of the first. */
const LOADERS_KEPT = 20;

/** `proxyError`: the answer is not the server's, but of our own way out, which did not get through to it (an error of RFC 9209). */
export type DocumentResponse = { loaderId: string; status: number; statusText: string; proxyError: string | null };
/** As `guardrails/forward.ts` writes it; it takes the header off whatever servers answer to plain http. */
const PROXY_ERROR = /^understudy; error=([a-z_]+)$/;

function proxyErrorOf({ url, headers }: Protocol.Network.Response): string | null {
  const name = url.startsWith("http:") ? Object.keys(headers).find((each) => each.toLowerCase() === "proxy-status") : undefined;
  return name === undefined ? null : (PROXY_ERROR.exec(headers[name] ?? "")?.[1] ?? null);
}

/** Where the whole Chrome is when it shows an error of ours; the headless shell shows an empty page at the URL that was wanted. */
const ERROR_PAGE = "chrome-error://chromewebdata/";

type Request = { kind: "code" | "data"; startedAt: number; session: CDPSession };
/** `loaderId` null: asked for, not begun. */
type Navigation = { askedAt: number; loaderId: string | null };

export class Activity {
  /** Where the main frame is, as soon as it is there; where nothing got through to the server, Chrome's own error page. */
  url = "";
  mainFrame = "";
  /** The main frame's document: its loader, when it came, how many there were before, and whether it is read to its end. */
  document = { loaderId: "", since: Number.NEGATIVE_INFINITY, count: 0, loaded: true };
  /** The document stands in for one that did not come: which, and why, where that is known. */
  failure: { url: string; why: string | null } | null = null;
  /** How the last request for a document of the main frame was answered. */
  response: DocumentResponse | null = null;
  /** Downloads that began, and the name of the last one's file. */
  downloads = { count: 0, file: "" };
  /** Windows that the page has opened. */
  windowsOpened = 0;
  /** The loaders of the main frame's latest documents, the newest last. */
  readonly #loaders: string[] = [];
  readonly #childFrames = new Set<string>();
  readonly #requests = new Map<string, Request>();
  readonly #listeners = new Set<() => void>();
  #navigation: Navigation | null = null;

  /** The state at the start, before any event. `isError`: the document is an HTTP error without a body, which the whole Chrome shows by a page of its own. */
  start({ frame, childFrames = [] }: Protocol.Page.FrameTree, isError = false): void {
    this.mainFrame = frame.id;
    this.url = isError ? ERROR_PAGE : frame.url + (frame.urlFragment ?? "");
    if (frame.unreachableUrl) this.failure = { url: frame.unreachableUrl, why: null };
    if (isError) this.failure = { url: frame.url, why: "an error without content" };
    this.document.loaderId = frame.loaderId;
    const add = (tree: Protocol.Page.FrameTree) => {
      this.#childFrames.add(tree.frame.id);
      for (const child of tree.childFrames ?? []) add(child);
    };
    for (const child of childFrames) add(child);
  }

  get hasChildFrames(): boolean {
    return this.#childFrames.size > 0;
  }

  /** Is the main frame on its way to another document? */
  get isNavigating(): boolean {
    const { loaderId, askedAt } = this.#navigation ?? {};
    if (loaderId === null && performance.now() - (askedAt as number) > NAVIGATION_START_MS) this.#navigation = null;
    return this.#navigation !== null;
  }

  /** Has that loader's document come? It may have been replaced since. */
  hasCome(loaderId: string): boolean {
    return this.#loaders.includes(loaderId);
  }

  /** Requests under way that began in that time, none older than the cap. */
  pending(since: number, before = Number.POSITIVE_INFINITY, only?: "code"): boolean {
    const now = performance.now();
    for (const { kind, startedAt } of this.#requests.values()) {
      if (startedAt >= since && startedAt <= before && now - startedAt < REQUEST_CAP_MS && (!only || kind === only)) return true;
    }
    return false;
  }

  /** A document is on its way of which no event has told: a new window's first one. */
  expectDocument(): void {
    this.#navigation ??= { askedAt: performance.now(), loaderId: "" };
  }

  get isBusy(): boolean {
    return this.isNavigating || this.pending(Number.NEGATIVE_INFINITY);
  }

  /** Resolves when `holds()` is true, which is asked after each event, or after `limitMs`; false then. */
  async until(holds: () => boolean, limitMs: number, signal: AbortSignal): Promise<boolean> {
    const end = performance.now() + limitMs;
    while (!holds()) {
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

  /** Caps pass without an event. */
  #nextExpiryMs(): number {
    const now = performance.now();
    const ends = [...this.#requests.values()].map(({ startedAt }) => startedAt + REQUEST_CAP_MS);
    if (this.#navigation?.loaderId === null) ends.push(this.#navigation.askedAt + NAVIGATION_START_MS);
    const left = ends.map((end) => end - now).filter((ms) => ms > 0);
    return Math.min(1_000, ...left) + 1;
  }

  async #next(limitMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    let wake = () => {};
    const event = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#listeners.add(wake);
    const timer = pause(limitMs, AbortSignal.any([signal, over.signal]));
    timer.catch(() => {}); // heard of by the race, unless that is over
    try {
      await Promise.race([event, timer]);
    } finally {
      this.#listeners.delete(wake);
      over.abort();
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Listens to the page's own session, or to one of a frame that lives in another process. */
  watch(session: CDPSession): void {
    const isMain = (frameId: string | undefined) => frameId === this.mainFrame;
    const on: typeof session.on = (name, listener) =>
      session.on(name, ((event: never) => {
        listener(event);
        this.#changed();
      }) as typeof listener);
    on("Network.requestWillBeSent", ({ requestId, type, redirectResponse }) => {
      const kind = type && KINDS[type];
      const isNextHop = redirectResponse && this.#requests.has(requestId);
      if (kind && !isNextHop) this.#requests.set(requestId, { kind, startedAt: performance.now(), session });
    });
    on("Network.responseReceived", ({ requestId, type, frameId, response }) => {
      const { mimeType, status, statusText } = response;
      if (mimeType === "text/event-stream") this.#requests.delete(requestId); // it goes on for ever
      if (type === "Document" && isMain(frameId))
        this.response = { loaderId: requestId, status, statusText, proxyError: proxyErrorOf(response) };
    });
    on("Network.loadingFinished", ({ requestId }) => void this.#requests.delete(requestId));
    on("Network.loadingFailed", ({ requestId, type, errorText }) => {
      if (type === "Document") this.#failed = { loaderId: requestId, errorText };
      this.#requests.delete(requestId);
      if (this.#navigation?.loaderId === requestId) this.#navigation = null;
    });
    on("Page.frameRequestedNavigation", ({ frameId, disposition }) => {
      if (isMain(frameId) && disposition === "currentTab") this.#navigation ??= { askedAt: performance.now(), loaderId: null };
    });
    on("Page.frameStartedNavigating", ({ frameId, loaderId, navigationType }) => {
      if (isMain(frameId) && !/sameDocument/i.test(navigationType)) this.#navigation = { askedAt: performance.now(), loaderId };
    });
    on("Page.frameStoppedLoading", ({ frameId }) => {
      if (isMain(frameId) && this.#navigation?.loaderId) this.#navigation = null; // nothing came of it: 204, a download, stopped
    });
    on("Page.frameNavigated", ({ frame }) => this.#navigated(frame));
    on("Page.navigatedWithinDocument", ({ frameId, url }) => {
      if (isMain(frameId)) this.url = url;
    });
    on("Page.domContentEventFired", () => {
      if (session === this.#mainSession) this.document.loaded = true;
    });
    on("Page.downloadWillBegin", ({ suggestedFilename }) => {
      this.downloads = { count: this.downloads.count + 1, file: suggestedFilename };
      this.#navigation = null;
    });
    on("Page.windowOpen", () => {
      this.windowsOpened += 1;
    });
    on("Page.frameAttached", ({ frameId }) => void this.#childFrames.add(frameId));
    on("Page.frameDetached", ({ frameId, reason }) => {
      if (reason === "remove") this.#childFrames.delete(frameId);
    });
    this.#mainSession ??= session;
  }
  #mainSession: CDPSession | null = null;
  #failed = { loaderId: "", errorText: "" };

  /** A frame's own session has ended: nobody will tell how its requests ended. */
  unwatch(session: CDPSession): void {
    for (const [id, request] of this.#requests) if (request.session === session) this.#requests.delete(id);
    this.#changed();
  }

  #navigated(frame: Protocol.Page.Frame): void {
    if (frame.parentId) return;
    this.mainFrame = frame.id;
    const proxyError = this.response?.loaderId === frame.loaderId ? this.response.proxyError : null;
    const isOurError = proxyError !== null;
    const url = frame.unreachableUrl ?? frame.url;
    const netError = frame.unreachableUrl && this.#failed.loaderId === frame.loaderId ? this.#failed.errorText : null;
    if (isOurError) this.failure = { url, why: proxyErrorMeaning(proxyError) };
    else this.failure = frame.unreachableUrl ? { url, why: netError && netErrorMeaning(netError) } : null;
    this.url = isOurError ? ERROR_PAGE : frame.url + (frame.urlFragment ?? "");
    this.document = { loaderId: frame.loaderId, since: performance.now(), count: this.document.count + 1, loaded: false };
    this.#loaders.push(frame.loaderId);
    if (this.#loaders.length > LOADERS_KEPT) this.#loaders.shift();
    this.#navigation = null;
    this.#childFrames.clear();
    for (const id of this.#requests.keys()) if (id !== frame.loaderId) this.#requests.delete(id); // the old document's
  }
}
