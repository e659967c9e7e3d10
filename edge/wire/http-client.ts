/** A small HTTP/1.1 client over connections that the runtime provides. README.md says why it is not fetch. */
import type { Address, Connect, Connection } from "./connection.ts";
import { broken, Exchange, tooLate, type WireAnswer, type WireRequest } from "./exchange.ts";

/** One place that speaks HTTP, with its idle connections. */
export type HttpClient = {
  /** @throws POOL_UNREACHABLE, UPSTREAM_TIMEOUT, or the signal's reason; any status is an answer. */
  send(request: WireRequest): Promise<WireAnswer>;
  close(): void;
};

/** A connection at rest. A read is always pending on it, so that a peer who closes is noticed at once. */
type Idle = { connection: Connection; next: Promise<Uint8Array | null>; resting: boolean; sinceMs: number };

const MAX_IDLE = 64;
const MAX_IDLE_MS = 4_000; // Node's own server closes after 5 s
const encoder = new TextEncoder();

/**
 * A request on a reused connection that turns out to be dead, before a byte of the answer has come, is sent once more on a new one.
 * So whatever is sent must bear being sent twice: what creates something carries an idempotency key.
 */
export function createHttpClient(to: Address, connect: Connect): HttpClient {
  const idle: Idle[] = [];
  const host = to.port === (to.tls ? 443 : 80) ? to.hostname : `${to.hostname}:${to.port}`;

  const rest = (connection: Connection) => {
    if (idle.length >= MAX_IDLE) return connection.close();
    const one: Idle = { connection, next: connection.read(), resting: true, sinceMs: Date.now() };
    const ended = () => {
      if (!one.resting) return; // in use again: what came is its answer
      one.resting = false;
      idle.splice(idle.indexOf(one), 1);
      connection.close();
    };
    one.next.then(ended, ended);
    idle.push(one);
  };

  const takeIdle = (): Idle | null => {
    const one = idle.pop();
    if (!one) return null;
    one.resting = false;
    if (Date.now() - one.sinceMs < MAX_IDLE_MS) return one;
    one.connection.close();
    closeIdle(); // the others have rested for longer still
    return null;
  };

  const closeIdle = () => {
    for (const one of idle.splice(0)) {
      one.resting = false;
      one.connection.close();
    }
  };

  return {
    async send(request) {
      const bytes = encode(request, host);
      const reused = takeIdle();
      if (reused) {
        const answer = await new Exchange(request, reused.connection, rest).answer(bytes, () => reused.next);
        if (answer) return answer;
        request.onResent?.();
      }
      const connection = await open(to, connect, request).catch((error) => {
        // It was sent, and may have been done: "refused" would say that it surely was not.
        throw reused && error?.details?.reason === "refused" ? broken("closed the connection without an answer", "reset", error) : error;
      });
      const answer = await new Exchange(request, connection, rest).answer(bytes);
      if (answer) return answer;
      throw broken("closed the connection without an answer", "reset");
    },
    close: closeIdle,
  };
}

async function open(to: Address, connect: Connect, { limitMs, signal }: WireRequest): Promise<Connection> {
  const limit = new AbortController();
  const onAbort = () => limit.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => limit.abort(tooLate(limitMs)), limitMs);
  try {
    return await connect(to, limit.signal);
  } catch (cause) {
    limit.signal.throwIfAborted();
    throw broken("refused the connection", "refused", cause);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Names and values come from our own code and from parsed input. A control character among them is our fault, and is never sent. */
function encode({ method, target, headers, body }: WireRequest, host: string): Uint8Array {
  let head = `${method} ${plain(target)} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const name in headers) head += `${name}: ${plain(headers[name] as string)}\r\n`;
  if (body === undefined) return encoder.encode(method === "POST" ? `${head}content-length: 0\r\n\r\n` : `${head}\r\n`);
  const content = encoder.encode(body);
  const bytes = encoder.encode(`${head}content-length: ${content.byteLength}\r\n\r\n`);
  const all = new Uint8Array(bytes.byteLength + content.byteLength);
  all.set(bytes);
  all.set(content, bytes.byteLength);
  return all;
}

function plain(text: string): string {
  if (/[^\x20-\x7e]/.test(text)) throw new Error("A request head may hold visible ASCII only");
  return text;
}
