/** Ways in which a node can fail, each a function of a response that was not begun. */
import type { ServerResponse } from "node:http";

export type Fault = (response: ServerResponse) => void;

/** The connection breaks before anything is said. */
export const reset: Fault = (response) => void response.socket?.resetAndDestroy();

export const status =
  (code: number, body = '{"oops":true}'): Fault =>
  (response) =>
    void response.writeHead(code, { "content-type": "application/json" }).end(body);

/** Takes the request and never says a word. */
export const silence: Fault = () => {};

/** Says 200 and then nothing. */
export const silenceAfterHead: Fault = (response) => response.writeHead(200, TYPES).flushHeaders();

/** Says 200 and ends cleanly, without a byte. */
export const emptyEnd: Fault = (response) => void response.writeHead(200, TYPES).end();

/** What a server of another kind might say. */
export const notHttp: Fault = (response) => void response.socket?.end("220 smtp.example.org ESMTP\r\n250 hello\r\n\r\n");

/** A page where the protocol has something else. */
export const page: Fault = (response) => void response.writeHead(200, { "content-type": "text/html" }).end("<h1>Welcome to nginx!</h1>");

export const resetAfterHead: Fault = (response) => {
  response.writeHead(200, TYPES);
  response.flushHeaders();
  setImmediate(() => response.socket?.resetAndDestroy());
};

/** Sends these bytes and breaks the connection, by a reset or by an early end. */
export const breakAfter =
  (bytes: Uint8Array | string, how: "reset" | "end" = "reset"): Fault =>
  (response) => {
    response.writeHead(200, TYPES);
    response.write(bytes, () => (how === "reset" ? response.socket?.resetAndDestroy() : response.socket?.destroy()));
  };

/** Announces a length and ends cleanly before it: HTTP alone can tell that something is missing. */
export const shortOfLength =
  (bytes: Uint8Array, announced: number): Fault =>
  (response) => {
    response.strictContentLength = false;
    response.writeHead(200, { ...TYPES, "content-length": announced });
    response.write(bytes, () => response.socket?.end());
  };

/** Sends these bytes and then nothing any more. */
export const silenceAfter =
  (bytes: Uint8Array | string): Fault =>
  (response) =>
    void response.writeHead(200, TYPES).write(bytes);

const TYPES = { "content-type": "text/event-stream" }; // right for event streams; nobody looks at it where bytes are relayed
