/** One request and its answer on one connection. It ends in one of three ways: the body's true end, a failure, or the reader leaving; the first reason wins. */
import { AppError } from "../../shared/errors.ts";
import { type Read, readBody } from "./body.ts";
import type { Connection } from "./connection.ts";
import { Deadlines, type Limited } from "./deadlines.ts";
import { framingOf, type Head, headEnd, MAX_HEAD_BYTES, notHttp, parseHead } from "./head.ts";

export type WireRequest = {
  method: "GET" | "HEAD" | "POST" | "DELETE";
  /** Path and query, as they go on the wire. */
  target: string;
  headers: Record<string, string>;
  body?: string;
  /** Time for the head of the answer, or for all of it with `limitsBody`. */
  limitMs: number;
  limitsBody?: boolean;
  /** Aborting it closes the connection, whatever it is doing, until the body has ended. */
  signal?: AbortSignal;
  /** Told when it is sent once more, on a new connection. */
  onResent?: () => void;
};

export type WireAnswer = Head & {
  /** The whole body, when it came together with the head: nothing is left to be read then, and `read` gives it once more. */
  whole: Uint8Array | null;
  read: Read;
  /** Leaves the rest of the body unread: closes the connection at once. Nothing happens after the true end. */
  cancel(): void;
};

const deadlines = new Deadlines();

export class Exchange implements Limited {
  readonly #request: WireRequest;
  readonly #connection: Connection;
  readonly #rest: (connection: Connection) => void;
  readonly #onAbort: () => void;
  readonly lateAtMs: number;
  #over = false;
  #why: unknown = null;

  /** @param rest takes the connection back when another request may follow on it */
  constructor(request: WireRequest, connection: Connection, rest: (connection: Connection) => void) {
    this.#request = request;
    this.#connection = connection;
    this.#rest = rest;
    this.#onAbort = () => this.#fail(request.signal?.reason);
    this.lateAtMs = performance.now() + request.limitMs;
    deadlines.add(this);
    request.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (request.signal?.aborted) this.#onAbort();
  }

  /**
   * Sends the request and reads the head of the answer; null when the connection ended or broke before a byte of it.
   * @param pending a read that was under way on the connection
   */
  async answer(bytes: Uint8Array, pending: Read = () => this.#connection.read()): Promise<WireAnswer | null> {
    try {
      this.#connection.write(bytes);
      let received = await this.#firstBytes(pending);
      if (received === null) return null;
      for (;;) {
        const end = headEnd(received);
        if (end < 0) {
          if (received.byteLength > MAX_HEAD_BYTES) throw notHttp("its head has no end");
          const next = await this.#more();
          if (next === null) throw broken("broke off in the head of its answer", "truncated");
          received = joined(received, next);
          continue;
        }
        const head = parseHead(received.subarray(0, end));
        received = received.subarray(end);
        if (head.status === 101) throw notHttp("it changed the protocol");
        if (head.status >= 200) return this.#begin(head, received);
      }
    } catch (error) {
      throw this.#fail(error);
    }
  }

  late(): void {
    this.#fail(tooLate(this.#request.limitMs));
  }

  #begin(head: Head, rest: Uint8Array): WireAnswer {
    if (!this.#request.limitsBody) deadlines.delete(this);
    const framing = framingOf(this.#request.method, head);
    const whole = framing.kind === "length" && framing.bytes === rest.byteLength ? rest : null;
    if (whole !== null) return this.#beginWhole(head, whole);
    const body = readBody(framing, rest, this.#more, (reusable) => {
      this.#finish();
      if (reusable && head.keepAlive) this.#rest(this.#connection);
      else this.#connection.close();
    });
    return {
      ...head,
      whole: null,
      read: async () => {
        try {
          return await body();
        } catch (error) {
          throw this.#fail(error);
        }
      },
      cancel: () => void this.#fail(new DOMException("The reader left", "AbortError")),
    };
  }

  /** Most answers: short enough to come in one piece. */
  #beginWhole(head: Head, whole: Uint8Array): WireAnswer {
    this.#finish();
    if (head.keepAlive) this.#rest(this.#connection);
    else this.#connection.close();
    let left: Uint8Array | null = whole.byteLength > 0 ? whole : null;
    const read: Read = async () => {
      const chunk = left;
      left = null;
      return chunk;
    };
    return { ...head, whole, read, cancel() {} };
  }

  async #firstBytes(pending: Read): Promise<Uint8Array | null> {
    try {
      const chunk = await pending();
      if (chunk !== null) return chunk;
    } catch {
      // told below: closed here for a reason, or a dead connection
    }
    if (this.#why !== null) throw this.#why;
    this.#finish();
    this.#connection.close();
    return null;
  }

  #more: Read = async () => {
    try {
      return await this.#connection.read();
    } catch (cause) {
      throw broken("broke off", "reset", cause);
    }
  };

  /** Closes the connection for this reason, unless all is over; returns the reason that counts. */
  #fail(reason: unknown): unknown {
    if (this.#over) return this.#why ?? reason;
    this.#why = reason;
    this.#finish();
    this.#connection.close();
    return reason;
  }

  #finish(): void {
    this.#over = true;
    deadlines.delete(this);
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.byteLength === 0) return b;
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}

export const tooLate = (limitMs: number): AppError =>
  new AppError("UPSTREAM_TIMEOUT", `A node did not answer within ${limitMs} ms`, { details: { reason: "timeout" }, retryAfterS: 1 });

export const broken = (what: string, reason: "refused" | "reset" | "truncated", cause?: unknown): AppError =>
  new AppError("POOL_UNREACHABLE", `A node ${what}`, { details: { reason }, retryAfterS: 1, cause });
