/** The head of an HTTP/1.1 answer (RFC 9112): status line and fields, and how the body that follows is framed. */
import { AppError } from "../../shared/errors.ts";

/** Names in lower case; a repeated field is joined with a comma. */
export type Head = { status: number; fields: ReadonlyMap<string, string>; keepAlive: boolean };

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

/** @throws POOL_UNREACHABLE: what the node sent is not HTTP. */
export function parseHead(bytes: Uint8Array): Head {
  const lines = decoder.decode(bytes).split("\r\n");
  const status = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/.exec(lines[0] ?? "");
  if (!status) throw notHttp("its first line is no status line");
  const fields = new Map<string, string>();
  for (let i = 1; i < lines.length - 2; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (colon < 1 || /[\s\0]/.test(name)) throw notHttp("a header line is no field");
    const value = line.slice(colon + 1).trim();
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const connection = fields.get("connection")?.toLowerCase() ?? "";
  return { status: Number(status[2]), fields, keepAlive: status[1] === "1" && !connection.includes("close") };
}

/** How the body is framed (RFC 9112, 6.3). What could be read in two ways is refused, not guessed. */
export function framingOf(method: string, { status, fields }: Head): Framing {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return { kind: "none" };
  const coding = fields.get("transfer-encoding");
  const length = fields.get("content-length");
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
