/** The edge on Node. */
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { AppError } from "../shared/errors.ts";
import { answerError, commonHead } from "./answers.ts";
import type { EdgeConfig } from "./config.ts";
import { type EdgeLimits, openEdge } from "./edge.ts";
import type { EdgeBindings } from "./endpoint.ts";
import { createCollector } from "./main-collector.ts";
import { connectOnNode } from "./main-node-connect.ts";

const KEEP_ALIVE_MS = 65_000; // longer than the idle time of common load balancers, so that it is them who close

export type Started = AsyncDisposable & { url: string };

/** Resolves once it listens. Disposing it ends every connection. */
export async function startOnNode(config: EdgeConfig, limits: EdgeLimits = {}): Promise<Started> {
  const edge = openEdge(config, { connect: connectOnNode, onPassed: createCollector() }, limits);
  const listener = getRequestListener(
    (request, env) => {
      const { incoming, outgoing } = env as HttpBindings; // HTTP/1.1 is what this server speaks
      const bindings: EdgeBindings = { breakOff: () => breakOff(incoming, outgoing) };
      return edge.app.fetch(request, bindings);
    },
    { overrideGlobalObjects: true, errorHandler: () => badRequest(400) },
  );
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, listener);
  server.on("clientError", onClientError);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(config.port, config.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`;
  edge.log.info("The edge listens", { url, runtime: `node ${process.versions.node}` });
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await edge[Symbol.asyncDispose]();
    },
  };
}

/** HTTP/1.1 tells a break by a body without its end. HTTP/1.0 has only the connection's end to tell by, so that must not look clean. */
function breakOff(incoming: IncomingMessage, outgoing: ServerResponse): void {
  if (incoming.httpVersionMinor === 0) incoming.socket.resetAndDestroy();
  else outgoing.destroy();
}

function badRequest(status: number): Response {
  const error = new AppError("VALIDATION_FAILED", "The request is not HTTP as it should be");
  const { headers, body } = answerError(commonHead(crypto.randomUUID()), error);
  return new Response(body, { status, headers });
}

/** What is not even a request gets an answer in our shape too, as far as that is possible. */
function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
  const { headers } = badRequest(status);
  const body = JSON.stringify({ error: { code: "VALIDATION_FAILED", message: "The request is not HTTP as it should be", details: null } });
  const lines = [...headers].map(([name, value]) => `${name}: ${value}`);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("\r\n")}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}
