/** The edge on Node. */
import { once } from "node:events";
import { createServer, type IncomingMessage, maxHeaderSize, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener, type HttpBindings, RequestError } from "@hono/node-server";
import { pause } from "../shared/deadline.ts";
import { AppError, type ErrorBody, toErrorDetail } from "../shared/errors.ts";
import { cannotListen } from "../shared/listen.ts";
import { answerError, commonHead } from "./answers.ts";
import type { EdgeConfig } from "./config.ts";
import { openEdge, openEdgeTracing, type RunningEdge, type StartOptions, urlOf } from "./edge.ts";
import type { EdgeBindings } from "./endpoint.ts";
import { connectOnNode } from "./main-node-connect.ts";
import { RecyclingResponse } from "./main-node-slabs.ts";

const KEEP_ALIVE_MS = 65_000; // longer than the idle time of common load balancers, so that it is them who close

/** Resolves once it listens. */
export async function startOnNode(config: EdgeConfig, { limits, peers, share }: StartOptions = {}): Promise<RunningEdge> {
  const tracing = await openEdgeTracing(config);
  const edge = openEdge(config, { connect: connectOnNode, peers, tracing }, limits);
  const listener = getRequestListener(
    (request, env) => {
      const { incoming, outgoing } = env as HttpBindings; // HTTP/1.1 is what this server speaks
      if (incoming.headers.host === undefined && incoming.httpVersionMinor > 0) return answerBadRequest();
      const bindings: EdgeBindings = { breakOff: () => breakOff(incoming, outgoing) };
      return edge.app.fetch(request, bindings);
    },
    {
      errorHandler: (error) => (error instanceof RequestError ? answerBadRequest() : answerError(commonHead(crypto.randomUUID()), error)),
      hostname: "localhost",
    },
  );
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requireHostHeader: false, ServerResponse: RecyclingResponse }, listener);
  server.on("clientError", onClientError);
  if (share === "first" && config.port !== 0) await listen(createServer(), config, false).then(closed); // taken by nobody, not even by another edge
  await listen(server, config, share !== undefined);
  const { port } = server.address() as AddressInfo;
  return {
    url: urlOf(config.host, port),
    port,
    async drain(limitMs) {
      await Promise.race([closed(server), pause(limitMs)]); // idle connections go at once
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await edge[Symbol.asyncDispose]();
    },
  };
}

function listen(server: Server, { port, host }: EdgeConfig, reusePort: boolean): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(cannotListen("EDGE", { port, host }, cause)));
    server.listen({ port, host, reusePort }, () => resolve(server));
  });
}

async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}

/** HTTP/1.1 tells a break by a body without its end. HTTP/1.0 has only the connection's end to tell by, so that must not look clean. */
function breakOff(incoming: IncomingMessage, outgoing: ServerResponse): void {
  if (incoming.httpVersionMinor === 0) incoming.socket.resetAndDestroy();
  else outgoing.destroy();
}

const malformed = (): AppError => new AppError("VALIDATION_FAILED", "The request is not HTTP as it should be");

/** What Node has not even made a request of → what to say. */
function refusal({ code }: NodeJS.ErrnoException): { status: number; error: AppError } {
  switch (code) {
    case "HPE_INVALID_METHOD":
      return { status: 405, error: new AppError("METHOD_NOT_ALLOWED", "No route knows this method") };
    case "HPE_HEADER_OVERFLOW":
      return { status: 413, error: new AppError("PAYLOAD_TOO_LARGE", `The request's head is over ${maxHeaderSize} bytes`) };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, error: malformed() };
    default:
      return { status: 400, error: malformed() };
  }
}

/** An answer in the shape of all errors, as far as one can be given. */
function answerTo(error: AppError): { text: string; headers: Record<string, string> } {
  const detail = toErrorDetail(error);
  const text = JSON.stringify({ error: detail } satisfies ErrorBody);
  return { text, headers: { ...commonHead(crypto.randomUUID()), "Content-Type": "application/json" } };
}

function answerBadRequest(): Response {
  const { text, headers } = answerTo(malformed());
  return new Response(text, { status: 400, headers });
}

/** The answer that is under way on a connection: Node has no other name for it. */
type Answering = Socket & { _httpMessage?: ServerResponse | null };

/** Connections that end with the answer that is under way. */
const closing = new WeakSet<Socket>();

/** What is no HTTP, behind a request that has come whole, is not answered in the place or in the middle of that one's answer: that is the last. */
function onClientError(error: NodeJS.ErrnoException, socket: Answering): void {
  if (closing.has(socket)) return;
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const underWay = socket._httpMessage;
  if (underWay && (underWay.headersSent || underWay.req.complete)) {
    closing.add(socket);
    if (!underWay.headersSent) underWay.setHeader("Connection", "close");
    return void underWay.once("close", () => socket.destroySoon());
  }
  const { status, error: refused } = refusal(error);
  const { text, headers } = answerTo(refused);
  const lines = Object.entries({ ...headers, "Content-Length": text.length, Connection: "close" }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${text}`);
}
