/** What the guardrails' tests share: policies on an injected resolver, servers that note who came, raw talk to a proxy. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";

import { mergeGuardrails } from "../../pool/guardrails/merge.ts";
import { createPolicy, type Policy } from "../../pool/guardrails/policy.ts";
import { parsePrivateNetworks } from "../../pool/guardrails/private-networks.ts";
import type { Resolve } from "../../pool/guardrails/resolve.ts";
import type { Guardrails, GuardrailsInput } from "../../shared/guardrails.ts";

/** Answers from a table; an empty or missing entry does not resolve. Counts what it was asked. */
export function tableResolver(answers: Record<string, readonly string[]>): Resolve & { asked: string[] } {
  const asked: string[] = [];
  const resolve = async (host: string) => {
    asked.push(host);
    const found = answers[host] ?? [];
    if (found.length === 0) throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
    return found;
  };
  return Object.assign(resolve, { asked });
}

export const guardrailsOf = (request: GuardrailsInput): Guardrails => mergeGuardrails({ request: { blocked_domains: [], ...request } });

/** A policy that reaches only these networks beside the public ones. */
export function labPolicy(networks: string, resolve: Resolve, request: GuardrailsInput = {}, now?: () => number): Policy {
  const guardrails = guardrailsOf({ allow_private_networks: networks !== "", ...request });
  return createPolicy(guardrails, { privateNetworks: parsePrivateNetworks(networks), resolve, ...(now ? { now } : {}) });
}

export type Site = AsyncDisposable & { address: string; port: number; hits: string[]; sockets: Set<Socket>; server: Server };

/** A server that notes each connection and request; `hits` holds `method host path`, or `connection`. */
export async function openSite(answer: RequestListener, address = "127.0.0.1", port = 0): Promise<Site> {
  const hits: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    hits.push(`${request.method} ${request.headers.host} ${request.url}`);
    answer(request, response);
  });
  server.on("connection", (socket) => {
    sockets.add(socket.on("close", () => sockets.delete(socket)).on("error", () => {}));
  });
  return { address, port: await listen(server, address, port), hits, sockets, server, [Symbol.asyncDispose]: () => close(server, sockets) };
}

/** A server below HTTP: it is handed each socket. */
export async function openRawSite(onSocket: (socket: Socket) => void, address = "127.0.0.1"): Promise<Site> {
  const sockets = new Set<Socket>();
  const hits: string[] = [];
  const server = createTcpServer((socket) => {
    hits.push("connection");
    sockets.add(socket.on("close", () => sockets.delete(socket)).on("error", () => {}));
    onSocket(socket);
  });
  return { address, port: await listen(server, address, 0), hits, sockets, server, [Symbol.asyncDispose]: () => close(server, sockets) };
}

async function listen(server: Server, address: string, port: number): Promise<number> {
  await once(server.listen(port, address), "listening");
  return (server.address() as AddressInfo).port;
}

async function close(server: Server, sockets: Set<Socket>): Promise<void> {
  const closed = once(server.close(), "close");
  for (const socket of sockets) socket.destroy();
  await closed;
}

/** Sends these bytes to the proxy and gives back all that comes until it ends, or until `until` is seen. */
export async function talk(proxyUrl: string, bytes: string | Buffer, until?: string): Promise<string> {
  const socket = await openSocket(proxyUrl);
  socket.write(bytes);
  try {
    return await readUntil(socket, until);
  } finally {
    socket.destroy();
  }
}

export async function openSocket(proxyUrl: string): Promise<Socket> {
  const { hostname, port } = new URL(proxyUrl);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on("error", () => {}); // a reset is an end too
  await once(socket, "connect");
  return socket;
}

/** Everything up to `until`, or to the connection's end. Latin-1. */
export function readUntil(socket: Socket, until?: string): Promise<string> {
  let text = "";
  return new Promise((resolve) => {
    const done = () => {
      socket.off("data", onData).off("end", done).off("close", done);
      resolve(text);
    };
    const onData = (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (until !== undefined && text.includes(until)) done();
    };
    socket.on("data", onData).on("end", done).on("close", done);
  });
}

/** The first bytes of a real TLS client. */
export async function clientHello(servername: string | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const wire = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
      wire.emit("hello");
    },
  });
  const client = connectTls({ socket: wire, ...(servername === undefined ? {} : { servername }) });
  client.on("error", () => {});
  if (chunks.length === 0) await once(wire, "hello");
  client.destroy();
  return Buffer.concat(chunks);
}
