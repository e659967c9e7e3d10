/** One Chrome's way out: a forward proxy on a port of its own, so that the port says whose traffic it is. */
import { once } from "node:events";
import { Agent, createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { ATTEMPT_MS } from "./dial.ts";
import { createEgressLog, type EgressRecord, type Refusal } from "./egress-record.ts";
import { forward } from "./forward.ts";
import type { Policy, Target } from "./policy.ts";
import { tunnel } from "./tunnel.ts";

export type EgressListener = AsyncDisposable &
  EgressRecord & {
    /** For `--proxy-server`, beside `--proxy-bypass-list=<-loopback>`. */
    readonly proxyUrl: string;
    /** From now on this run's policy decides; before, everything is refused. A second policy cuts all that the first one let through. */
    attach(policy: Policy, onRefusal: (refusal: Refusal) => void): void;
    /** From now on everything is refused, for good, and what is open is destroyed. Its port stays taken until it is disposed: nobody else gets it. */
    cut(): void;
    /** This connection is the same Chrome's, from the network of its own. */
    take(socket: Socket): void;
  };

export type EgressOptions = {
  /** Where to listen. Another host than this machine's loopback lets whoever reaches it use the run's policy. */
  host?: string;
  /** How Chrome reaches that host, where the two differ. */
  advertise?: string;
};

type Kind = Refusal["kind"];
/** What `forward` and `tunnel` may ask of the listener. */
export type Gate = {
  /** Where to connect; null: refused, and recorded. */
  judge(kind: Kind, host: string, port: number): Promise<Target | null>;
  refused(kind: Kind, target: Target, rule: string, reason: string): void;
  unreachable(kind: Kind, target: Target, error: NodeJS.ErrnoException): void;
  /** The listener's end is this socket's end. */
  track(socket: Socket): Socket;
};

const MAX_CLIENT_SOCKETS = 512; // Chrome opens 32 to a proxy, and 255 for WebSockets
const MAX_SOCKETS_PER_HOST = 32;
const IDLE_UPSTREAM_MS = 30_000;
const REQUEST_HEADER_BYTES = 32_768;

/** Listens until disposed; that destroys every connection. */
export async function openEgress({ host = "127.0.0.1", advertise = host }: EgressOptions = {}): Promise<EgressListener> {
  const log = createEgressLog();
  const sockets = new Set<Socket>();
  // No limit over all hosts: idle connections count into it, and would keep the next host waiting.
  const limits = { maxSockets: MAX_SOCKETS_PER_HOST, timeout: IDLE_UPSTREAM_MS, noDelay: true, autoSelectFamilyAttemptTimeout: ATTEMPT_MS };
  const agents = { kept: new Agent({ ...limits, keepAlive: true, maxFreeSockets: 32 }), fresh: new Agent(limits) };
  let attached: { policy: Policy; onRefusal: (refusal: Refusal) => void } | null = null;
  let isCut = false;

  const record = (refusal: Parameters<typeof log.refused>[0]) => {
    const entry = log.refused(refusal);
    if (entry.rule !== "chrome_background") attached?.onRefusal(entry); // not the run's doing: no event of the run
  };
  const gate: Gate = {
    async judge(kind, hostname, port) {
      if (attached === null) return null;
      const { policy } = attached;
      const verdict = await policy.judgeHost(hostname, port);
      if (attached?.policy !== policy) return null; // decided under a policy that no longer holds
      if (verdict.kind === "allow") return verdict;
      record({ rule: verdict.rule, reason: verdict.reason, host: verdict.host ?? hostname.toLowerCase().slice(0, 253), port, kind });
      return null;
    },
    refused: (kind, target, rule, reason) => record({ rule, reason, host: target.host, port: target.port, kind }),
    unreachable: (kind, { host: name, port }, error) => log.unreachable({ host: name, port, kind, code: error.code ?? "ERROR" }),
    track(socket) {
      sockets.add(socket);
      return socket.once("close", () => sockets.delete(socket));
    },
  };

  // No time limits on Chrome's side: it keeps connections ready for as long as it likes, and they all end with the run.
  const server = createServer({
    maxHeaderSize: REQUEST_HEADER_BYTES,
    keepAliveTimeout: 0,
    requestTimeout: 0,
    headersTimeout: 0,
    noDelay: true,
  });
  server.maxConnections = MAX_CLIENT_SOCKETS;
  server.on("connection", (socket: Socket) => gate.track(socket).on("error", () => socket.destroy()));
  server.on("request", (request, response) => void forward(request, response, gate, agents).catch(() => response.destroy()));
  server.on("connect", (request, socket, head) => void tunnel(request, socket as Socket, head, gate).catch(() => socket.destroy()));
  server.on("upgrade", (_request, socket) => socket.destroy()); // Chrome opens WebSockets by CONNECT
  server.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    else socket.destroy();
  });
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const destroyAll = () => {
    for (const socket of sockets) socket.destroy();
    agents.kept.destroy();
    agents.fresh.destroy();
  };
  return {
    proxyUrl: `http://${advertise.includes(":") && !advertise.startsWith("[") ? `[${advertise}]` : advertise}:${port}`,
    mark: log.mark,
    since: log.since,
    attach(policy, onRefusal) {
      if (isCut) return; // its run was killed while it began
      if (attached !== null) destroyAll();
      attached = { policy, onRefusal };
    },
    cut() {
      isCut = true;
      attached = null;
      destroyAll();
    },
    take(socket) {
      if (!server.listening || sockets.size >= 2 * MAX_CLIENT_SOCKETS) return void socket.destroy(); // each has one on the other side at most
      server.emit("connection", socket.setNoDelay(true));
    },
    async [Symbol.asyncDispose]() {
      attached = null;
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      destroyAll();
      await closed;
    },
  };
}
