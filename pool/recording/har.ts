/** From what Chrome tells of a request to an entry of HAR. Pure; what must not be seen is replaced here. */
import type { Protocol } from "puppeteer-core";
import { frameName } from "./frames.ts";
import type { HarEntry } from "./trace-captures.ts";

type Headers = HarEntry["request"]["headers"];

const REDACTED = "[redacted]";
/** Headers that let in whoever knows their value. */
const SECRET_HEADER = /^(cookie|set-cookie2?|(proxy-)?authorization|.*(token|secret|api-?key|password|credential|session-?id).*)$/i;
const HTTP: Record<string, string> = { "http/1.1": "HTTP/1.1", "http/1.0": "HTTP/1.0", h2: "HTTP/2.0", h3: "HTTP/3.0" };
const UNKNOWN_TYPE = "x-unknown";
const ms = (value: number) => Math.round(value * 1000) / 1000;

export function harHeaders(headers: Record<string, unknown>): Headers {
  return Object.entries(headers).flatMap(([name, value]) =>
    String(value)
      .split("\n") // Chrome joins those of one name so
      .map((each) => ({ name, value: SECRET_HEADER.test(name) ? REDACTED : each })),
  );
}

export const headerOf = (headers: Headers, name: string): string | undefined =>
  headers.find((header) => header.name.toLowerCase() === name)?.value;

/** Without user and password; null for what is no request on the network. */
export function plainUrl(text: string): URL | null {
  if (!/^(https?|wss?|ftp|file):/i.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  url.username = "";
  url.password = "";
  return url;
}

/** A request that has just begun: nothing is known of its response. `at`: on the recorder's clock. */
export function openEntry(event: Protocol.Network.RequestWillBeSentEvent, url: URL, pageref: string, at: number): HarEntry {
  return {
    pageref,
    startedDateTime: new Date(event.wallTime * 1000).toISOString(),
    time: -1,
    request: {
      method: event.request.method,
      url: url.href,
      httpVersion: "HTTP/1.1",
      cookies: [],
      headers: harHeaders(event.request.headers),
      queryString: queryOf(url),
      headersSize: -1,
      bodySize: 0,
    },
    response: noResponse(),
    cache: {},
    timings: { dns: -1, connect: -1, ssl: -1, send: -1, wait: -1, receive: -1 },
    ...(event.frameId ? { _frameref: frameName(event.frameId) } : {}),
    _monotonicTime: at,
    ...(event.type ? { _resourceType: event.type.toLowerCase() } : {}),
  };
}

/** What is not UTF-8 stays as it stands in the URL: decoded, a secret in it would no longer be known for one. */
function queryOf({ search }: URL): HarEntry["request"]["queryString"] {
  const decoded = (text: string): string => {
    try {
      return decodeURIComponent(text.replaceAll("+", " "));
    } catch {
      return text;
    }
  };
  return search
    .slice(1)
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", ...value] = pair.split("=");
      return { name: decoded(name), value: decoded(value.join("=")) };
    });
}

const noResponse = (): HarEntry["response"] => ({
  status: -1,
  statusText: "",
  httpVersion: "HTTP/1.1",
  cookies: [],
  headers: [],
  content: { size: -1, mimeType: UNKNOWN_TYPE },
  headersSize: -1,
  bodySize: -1,
  redirectURL: "",
  _transferSize: -1,
});

/** Puts the response's head into the entry. */
export function setResponse(entry: HarEntry, response: Protocol.Network.Response): void {
  const headers = harHeaders(response.headers);
  const httpVersion = HTTP[response.protocol ?? ""] ?? response.protocol ?? "HTTP/1.1";
  entry.request.httpVersion = httpVersion;
  entry.response = {
    ...noResponse(),
    status: response.status,
    statusText: response.statusText,
    httpVersion,
    headers,
    content: { size: -1, mimeType: headerOf(headers, "content-type") ?? (response.mimeType || UNKNOWN_TYPE) },
  };
  const { timing, remoteIPAddress } = response;
  if (remoteIPAddress) entry.serverIPAddress = remoteIPAddress;
  if (!timing) return;
  const span = (start: number, end: number) => (start >= 0 && end >= start ? ms(end - start) : -1);
  entry.timings = {
    dns: span(timing.dnsStart, timing.dnsEnd),
    connect: span(timing.connectStart, timing.connectEnd),
    ssl: span(timing.sslStart, timing.sslEnd),
    send: span(timing.sendStart, timing.sendEnd),
    wait: span(timing.sendEnd, timing.receiveHeadersEnd),
    receive: -1,
  };
}

/** All of it has come, or as much as ever will. */
export function closeEntry(entry: HarEntry, at: number): void {
  const { dns, connect, ssl, send, wait } = entry.timings;
  const past = [dns, connect, ssl, send, wait].reduce((sum, each) => sum + Math.max(0, each), 0);
  entry.time = ms(Math.max(past, at - entry._monotonicTime));
  entry.timings.receive = ms(entry.time - past);
}

const EXTENSIONS: Record<string, string> = {
  "text/html": "html",
  "text/css": "css",
  "text/plain": "txt",
  "text/javascript": "js",
  "application/json": "json",
  "application/javascript": "js",
  "application/x-www-form-urlencoded": "txt",
  "image/png": "png",
  "image/jpeg": "jpeg",
  "image/gif": "gif",
  "image/webp": "webp",
  "image/svg+xml": "svg",
  "font/woff2": "woff2",
  "font/woff": "woff",
};
export const extensionOf = (mimeType: string): string => EXTENSIONS[(mimeType.split(";")[0] ?? "").trim().toLowerCase()] ?? "dat";

/** Chrome has decoded a text's body: what we store is UTF-8, and so its headers have to say. */
export function sayUtf8(entry: HarEntry): void {
  const inUtf8 = (type: string) => type.replace(/charset\s*=\s*"?[^";\s]+"?/i, "charset=utf-8");
  entry.response.content.mimeType = inUtf8(entry.response.content.mimeType);
  for (const header of entry.response.headers) if (header.name.toLowerCase() === "content-type") header.value = inUtf8(header.value);
}
