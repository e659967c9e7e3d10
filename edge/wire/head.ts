/** The head of an HTTP/1.1 answer (RFC 9112): status line and fields, and how the body that follows is framed. */
import { AppError } from "../../shared/errors.ts";

/** `field` takes a name in lower case. */
export type Head = { status: number; field: (name: string) => string | undefined; keepAlive: boolean };

/** `length`: exactly so many bytes. `close`: all that comes until the peer closes. */
export type Framing = { kind: "none" } | { kind: "length"; bytes: number } | { kind: "chunked" } | { kind: "close" };

export const MAX_HEAD_BYTES = 32 * 1024;

const LF = 10;
const CR = 13;
const decoder = new TextDecoder();

/** Where the head ends (behind its blank line), or -1 while that has not come. */
export function headEnd(bytes: Uint8Array): number {
  for (let i = bytes.indexOf(LF, 3); i >= 0; i = bytes.indexOf(LF, i + 1)) {
    if (bytes[i - 1] === CR && bytes[i - 2] === LF && bytes[i - 3] === CR) return i + 1;
  }
  return -1;
}

/** In visible ASCII: what our nodes send, and nothing that two readers could read in two ways. */
const WHOLE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e]*)?\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e]*\r\n)*\r\n$/;

/** @throws POOL_UNREACHABLE: what the node sent is not HTTP. */
export function parseHead(bytes: Uint8Array): Head {
  const text = decoder.decode(bytes);
  const whole = WHOLE.exec(text);
  if (!whole) throw notHttp("its head is none");
  const lower = text.toLowerCase();
  /** A field that stands more than once is joined with commas. */
  const field = (name: string): string | undefined => {
    const start = `\r\n${name}:`;
    let value: string | undefined;
    for (let at = lower.indexOf(start); at >= 0; at = lower.indexOf(start, at + start.length)) {
      const from = at + start.length;
      const one = text.slice(from, text.indexOf("\r\n", from)).trim();
      value = value === undefined ? one : `${value}, ${one}`;
    }
    return value;
  };
  const keepAlive = whole[1] === "1" && !field("connection")?.toLowerCase().includes("close");
  return { status: Number(whole[2]), field, keepAlive };
}

/** How the body is framed (RFC 9112, 6.3). What could be read in two ways is refused, not guessed. */
export function framingOf(method: string, { status, field }: Head): Framing {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return { kind: "none" };
  const coding = field("transfer-encoding");
  const length = field("content-length");
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked" || length !== undefined) throw notHttp("its body is framed in two ways");
    return { kind: "chunked" };
  }
  if (length === undefined) return { kind: "close" };
  if (!/^\d{1,15}$/.test(length)) throw notHttp("its Content-Length is no number");
  return { kind: "length", bytes: Number(length) };
}

export const notHttp = (why: string): AppError =>
  new AppError("POOL_UNREACHABLE", `A node did not answer in HTTP: ${why}`, { details: { reason: "garbage" }, retryAfterS: 1 });
