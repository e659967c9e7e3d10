/** The requests of a page: one map for all its sessions, for that of a frame in another process begins on one and ends on the other. */
import { isUtf8 } from "node:buffer";
import type { CDPSession, Protocol } from "puppeteer-core";
import type { Blobs } from "./blobs.ts";
import { closeEntry, extensionOf, harHeaders, headerOf, openEntry, plainUrl, sayUtf8, setResponse } from "./har.ts";
import type { HarEntry } from "./trace-captures.ts";
import { type TraceEvent, traceTime } from "./trace-events.ts";
import type { OnLimit } from "./warn.ts";

export type NetworkLimits = {
  /** Requests of the whole run. */
  requests: number;
  /** The largest body that is kept, sent or received. */
  bodyBytes: number;
};
/** What is left of the run's requests, shared by its pages. */
export type RequestBudget = { requestsLeft: number };

type NetworkOptions = {
  pageId: string;
  blobs: Blobs;
  limits: NetworkLimits;
  budget: RequestBudget;
  write: (event: TraceEvent) => void;
  mask: (text: string) => string;
  onLimit: OnLimit;
};

const CALL_LIMIT_MS = 5_000;
/** What Chrome holds of bodies for us, until we ask. */
const HELD_BYTES = 32 * 1024 * 1024;
const MAX_OPEN = 2_000;
const MAX_ASKED = 64;
/** A snapshot runs no script and plays no film: their bodies would be most of the trace. */
const NO_BODY = new Set(["script", "media", "eventsource", "preflight", "ping"]);
/** What echoes no text; any other body may, also where Chrome takes it for bytes. */
const PIXELS = /^\s*(image\/(?!svg)|font\/|audio\/|video\/)/i;
const NO_BODY_STATUS = new Set([204, 304]);

export class Network {
  readonly #options: NetworkOptions;
  readonly #open = new Map<string, HarEntry>();
  /** Answered with a redirect, whose headers are still to come. */
  readonly #redirected = new Map<string, HarEntry>();
  /** As they were on the wire; they may come before the response itself, and in a chain of redirects each has its own. */
  readonly #allHeaders = new Map<string, { status: number; headers: HarEntry["response"]["headers"] }>();
  readonly #asked = new Set<Promise<void>>();
  #isOver = false;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  async watch(session: CDPSession): Promise<void> {
    session.on("Network.requestWillBeSent", (event) => this.#began(event));
    session.on("Network.requestWillBeSentExtraInfo", ({ requestId, headers }) => {
      const entry = this.#open.get(requestId);
      if (entry) entry.request.headers = harHeaders(headers);
    });
    session.on("Network.responseReceived", ({ requestId, response }) => {
      const entry = this.#open.get(requestId);
      if (!entry) return;
      setResponse(entry, response);
      this.#tellAll(requestId, entry);
    });
    session.on("Network.responseReceivedExtraInfo", ({ requestId, statusCode, headers }) => {
      const redirected = this.#redirected.get(requestId);
      if (redirected?.response.status === statusCode) {
        this.#redirected.delete(requestId);
        redirected.response.headers = harHeaders(headers);
        this.#write(redirected);
        return;
      }
      const entry = this.#open.get(requestId);
      if (!entry) return;
      this.#allHeaders.set(requestId, { status: statusCode, headers: harHeaders(headers) });
      this.#tellAll(requestId, entry);
    });
    session.on("Network.loadingFinished", (event) => this.#loaded(session, event));
    session.on("Network.loadingFailed", ({ requestId, errorText }) => {
      const entry = this.#open.get(requestId);
      if (!entry) return;
      entry.response._failureText = errorText;
      this.#end(requestId, entry);
    });
    const { bodyBytes } = this.#options.limits;
    await session.send("Network.enable", {
      maxTotalBufferSize: HELD_BYTES,
      maxResourceBufferSize: bodyBytes,
      maxPostDataSize: bodyBytes,
      enableDurableMessages: true, // else a body is gone once its page has navigated
    });
  }

  /** Resolves when no body is being asked for. */
  async idle(): Promise<void> {
    await Promise.all(this.#asked);
  }

  /** Writes what has not ended as it is. */
  end(): void {
    this.#isOver = true;
    for (const [requestId, entry] of this.#open) this.#end(requestId, entry);
    for (const entry of this.#redirected.values()) this.#write(entry);
    this.#redirected.clear();
  }

  #began(event: Protocol.Network.RequestWillBeSentEvent): void {
    const before = this.#open.get(event.requestId);
    if (before && event.redirectResponse) {
      setResponse(before, event.redirectResponse);
      before.response.redirectURL = plainUrl(event.request.url)?.href ?? "";
      this.#redirect(event, before);
    }
    const url = plainUrl(event.request.url);
    if (!url || this.#isOver || !this.#hasRoom()) return;
    const entry = openEntry(event, url, this.#options.pageId, traceTime());
    this.#open.set(event.requestId, entry);
    const { postDataEntries } = event.request;
    if (postDataEntries) this.#hold(this.#keepPosted(entry, postDataEntries));
  }

  #redirect({ requestId, redirectHasExtraInfo }: Protocol.Network.RequestWillBeSentEvent, entry: HarEntry): void {
    this.#open.delete(requestId);
    const earlier = this.#redirected.get(requestId);
    if (earlier) this.#write(earlier);
    this.#redirected.delete(requestId);
    const all = this.#allHeaders.get(requestId);
    this.#allHeaders.delete(requestId);
    if (all?.status === entry.response.status) entry.response.headers = all.headers;
    else if (redirectHasExtraInfo) {
      closeEntry(entry, traceTime());
      this.#redirected.set(requestId, entry);
      return;
    }
    this.#write(entry);
  }

  #tellAll(requestId: string, entry: HarEntry): void {
    const all = this.#allHeaders.get(requestId);
    if (all?.status === entry.response.status) entry.response.headers = all.headers;
  }

  #hasRoom(): boolean {
    const { budget, limits, onLimit } = this.#options;
    if (this.#open.size >= MAX_OPEN) onLimit(`${MAX_OPEN} requests of a page at once`);
    else if (budget.requestsLeft <= 0) onLimit(`${limits.requests} requests`);
    else {
      budget.requestsLeft -= 1;
      return true;
    }
    return false;
  }

  #isTooLarge(bytes: number): boolean {
    const { limits, onLimit } = this.#options;
    if (bytes > limits.bodyBytes) onLimit(`${limits.bodyBytes} bytes of a body`);
    return bytes > limits.bodyBytes;
  }

  async #keepPosted(entry: HarEntry, parts: Protocol.Network.PostDataEntry[]): Promise<void> {
    const { blobs } = this.#options;
    const bytes = Buffer.concat(parts.map(({ bytes = "" }) => Buffer.from(bytes, "base64")));
    const mimeType = headerOf(entry.request.headers, "content-type") ?? "application/octet-stream";
    entry.request.bodySize = bytes.byteLength;
    entry.request.postData = { mimeType, text: "", params: [] };
    if (this.#isTooLarge(bytes.byteLength)) return;
    const sha1 = await blobs.addContent(this.#masked(bytes), extensionOf(mimeType));
    if (sha1) entry.request.postData._sha1 = sha1;
  }

  #loaded(session: CDPSession, { requestId, encodedDataLength }: Protocol.Network.LoadingFinishedEvent): void {
    const entry = this.#open.get(requestId);
    if (!entry) return;
    closeEntry(entry, traceTime());
    entry.response._transferSize = encodedDataLength;
    entry.response.bodySize = encodedDataLength;
    const isLeftOut = NO_BODY.has(entry._resourceType ?? "") || NO_BODY_STATUS.has(entry.response.status);
    const isBusy = this.#asked.size >= MAX_ASKED;
    if (isBusy && !isLeftOut) this.#options.onLimit(`${MAX_ASKED} bodies asked for at once`);
    if (isLeftOut || isBusy || this.#isTooLarge(encodedDataLength)) {
      this.#end(requestId, entry);
      return;
    }
    this.#hold(
      this.#keepBody(session, requestId, entry)
        .catch(() => {}) // Chrome has let go of it: too large, or its page has gone
        .finally(() => this.#end(requestId, entry)),
    );
  }

  async #keepBody(session: CDPSession, requestId: string, entry: HarEntry): Promise<void> {
    const { blobs } = this.#options;
    const { body, base64Encoded } = await session.send("Network.getResponseBody", { requestId }, { timeout: CALL_LIMIT_MS });
    const bytes = Buffer.from(body, base64Encoded ? "base64" : "utf8");
    entry.response.content.size = bytes.byteLength;
    if (!base64Encoded) sayUtf8(entry);
    if (this.#isTooLarge(bytes.byteLength)) return;
    const { mimeType } = entry.response.content;
    const sha1 = await blobs.addContent(base64Encoded && PIXELS.test(mimeType) ? bytes : this.#masked(bytes), extensionOf(mimeType));
    if (sha1) entry.response.content._sha1 = sha1;
  }

  /**
   * Read as UTF-8; what is none (a file within a form) is read byte by byte, so that it stays what it was but for the secrets in it.
   * Empty where they cannot be replaced so.
   */
  #masked(bytes: Buffer): Buffer {
    const { mask } = this.#options;
    const encoding = isUtf8(bytes) ? "utf8" : "latin1";
    const text = bytes.toString(encoding);
    const masked = mask(text);
    const left = masked === text ? bytes : Buffer.from(masked, encoding);
    if (encoding === "utf8") return left;
    const words = left.toString("utf8"); // with characters of several bytes in them
    return mask(words) === words ? left : Buffer.alloc(0);
  }

  #hold(work: Promise<void>): void {
    const held: Promise<void> = work.finally(() => this.#asked.delete(held));
    this.#asked.add(held);
  }

  #end(requestId: string, entry: HarEntry): void {
    if (this.#open.get(requestId) !== entry) return;
    this.#open.delete(requestId);
    this.#allHeaders.delete(requestId);
    this.#write(entry);
  }

  #write(entry: HarEntry): void {
    if (entry.time < 0) closeEntry(entry, traceTime());
    this.#options.write({ type: "resource-snapshot", snapshot: entry });
  }
}
