/** Plain http requests through the listener: absolute form in, judged, passed on; the answer streams back under backpressure. */
import { type Agent, type ClientRequest, type IncomingMessage, request as openRequest, type ServerResponse } from "node:http";
import { dialOptions, guardDial } from "./dial.ts";
import type { Gate } from "./egress.ts";
import type { Target } from "./policy.ts";

/** RFC 9110 7.6.1, and what concerns the proxy itself. `Expect` was answered by our server already. */
const HOP_BY_HOP = new Set([
  ...["connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "host"],
  ...["proxy-authorization", "proxy-authenticate", "proxy-authentication-info", "proxy-status"],
]);
/** What went wrong on the way to an allowed host, in the words of RFC 9209; `actions/net-errors.ts` tells them to people. */
const FAILURES: Record<string, string> = {
  ECONNREFUSED: "connection_refused",
  ETIMEDOUT: "connection_timeout",
  ECONNRESET: "connection_terminated",
  EPIPE: "connection_terminated",
  EHOSTUNREACH: "destination_ip_unroutable",
  ENETUNREACH: "destination_ip_unroutable",
  HPE_INVALID_CONSTANT: "http_protocol_error",
};
const RESPONSE_HEADER_BYTES = 262_144; // as much as Chrome takes

export type Agents = { kept: Agent; fresh: Agent };

export async function forward(request: IncomingMessage, response: ServerResponse, gate: Gate, agents: Agents): Promise<void> {
  response.sendDate = false;
  response.on("error", () => {}); // `close` follows, and is what we act on
  const url = readTarget(request);
  if (url === null) return answer(response, 421, null); // nobody browses the proxy itself
  const verdict = await gate.judge("http", url.hostname, url.port === "" ? 80 : Number(url.port));
  if (response.destroyed) return;
  if (verdict === null) return answer(response, 403, "http_request_denied");
  pass(request, response, { url, target: verdict, gate, agents, retry: isRepeatable(request) });
}

/** Only `http://host[:port]/…`, as a browser writes it to a proxy. */
function readTarget(request: IncomingMessage): URL | null {
  const text = request.url ?? "";
  if (request.httpVersionMajor !== 1 || !/^http:\/\/[^/?#@\\]+(?:[/?]|$)/i.test(text) || !URL.canParse(text)) return null;
  return new URL(text);
}

type Passing = { url: URL; target: Target; gate: Gate; agents: Agents; retry: boolean };

function pass(request: IncomingMessage, response: ServerResponse, passing: Passing): void {
  const { url, target, gate, agents, retry } = passing;
  const headers = keptHeaders(request.rawHeaders, request.headers.connection);
  headers.push("Host", url.host);
  if (request.headers["transfer-encoding"] !== undefined) headers.push("Transfer-Encoding", "chunked");
  // What must not arrive twice, or can be sent once only, never goes out on a kept connection that the server may be closing just now.
  const agent = retry ? agents.kept : agents.fresh;
  const upstream = openRequest({
    ...dialOptions(target),
    agent,
    method: request.method,
    path: url.pathname + url.search,
    headers,
    setHost: false,
    maxHeaderSize: RESPONSE_HEADER_BYTES,
  });
  const onLeave = () => {
    if (!response.writableFinished) upstream.destroy();
  };
  response.once("close", onLeave);
  upstream.once("socket", (socket) => guardDial(socket, target));
  upstream.once("response", (incoming) => relay(incoming, response, upstream));
  upstream.once("upgrade", (_incoming, socket) => {
    socket.on("error", () => {}).destroy(); // nobody asked to switch protocols
    answer(response, 502, "http_protocol_error");
  });
  upstream.on("error", (error: NodeJS.ErrnoException) => {
    if (response.destroyed) return;
    if (response.headersSent) return void response.destroy(); // a broken answer must look broken
    if (retry && upstream.reusedSocket) {
      response.off("close", onLeave);
      return pass(request, response, { ...passing, agents: { ...agents, kept: agents.fresh }, retry: true });
    }
    gate.unreachable("http", target, error);
    answer(response, 502, FAILURES[error.code ?? ""] ?? "destination_unavailable");
  });
  if (hasBody(request)) request.pipe(upstream);
  else upstream.end();
}

function relay(incoming: IncomingMessage, response: ServerResponse, upstream: ClientRequest): void {
  const status = incoming.statusCode ?? 502;
  const breakOff = () => {
    upstream.destroy();
    answer(response, 502, "http_protocol_error");
  };
  if (status < 200 || status > 599 || status === 407) return void breakOff(); // 407 would make Chrome believe that we ask for a password
  try {
    response.writeHead(status, cleanReason(incoming.statusMessage), keptHeaders(incoming.rawHeaders, incoming.headers.connection));
  } catch {
    return void breakOff(); // header bytes that Node reads and does not write
  }
  incoming.on("error", () => response.destroy());
  incoming.pipe(response);
  // An event stream's headers must not wait for its first event; those of a body that is here already go with it in one packet.
  setImmediate(() => {
    if (!response.writableEnded && !response.destroyed) response.flushHeaders();
  });
}

/** Raw pairs without those of this hop. */
function keptHeaders(raw: readonly string[], connection: string | undefined): string[] {
  const named = connection === undefined || /^(?:keep-alive|close)$/i.test(connection) ? null : connection.toLowerCase().split(/\s*,\s*/);
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    if (!HOP_BY_HOP.has(name) && !named?.includes(name)) kept.push(raw[i] as string, raw[i + 1] as string);
  }
  return kept;
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] !== undefined && headers["content-length"] !== "0");

/** RFC 9110 9.2.2 would allow PUT and DELETE too; a server that counts them would be told twice. */
const isRepeatable = (request: IncomingMessage): boolean => /^(?:GET|HEAD|OPTIONS)$/.test(request.method ?? "") && !hasBody(request);

const cleanReason = (text: string | undefined): string => (text !== undefined && /^[\t\x20-\x7e]*$/.test(text) ? text : "");

/** An empty answer of our own. The same for every refusal: a page must not learn which names exist (RFC 9209 for the header). */
function answer(response: ServerResponse, status: number, error: string | null): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  response.writeHead(status, {
    ...(error ? { "Proxy-Status": `understudy; error=${error}` } : {}),
    "Cache-Control": "no-store",
    "Content-Length": 0,
  });
  response.end();
}
