/** CONNECT through the listener: https and WebSockets. The tunnel opens to the judged address only, and TLS in it must be for the judged host. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream";
import { readClientHello } from "./client-hello.ts";
import { dial } from "./dial.ts";
import { parseHost } from "./domains.ts";
import type { Gate } from "./egress.ts";
import type { Target } from "./policy.ts";

const AUTHORITY = /^(\[[0-9a-f:.]+\]|[^:[\]]+):(\d{1,5})$/i;
const FIRST_BYTES_MS = 30_000;

const RESPONSES = {
  open: "HTTP/1.1 200 Connection Established\r\n\r\n",
  refused:
    "HTTP/1.1 403 Forbidden\r\nProxy-Status: understudy; error=http_request_denied\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
  unreachable:
    "HTTP/1.1 502 Bad Gateway\r\nProxy-Status: understudy; error=destination_unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
};

export async function tunnel(request: IncomingMessage, client: Socket, head: Buffer, gate: Gate): Promise<void> {
  const [, host = "", port = "0"] = AUTHORITY.exec(request.url ?? "") ?? [];
  const valid = request.httpVersionMajor === 1 && Number(port) > 0 && Number(port) < 65_536;
  const target = valid ? await gate.judge("connect", host, Number(port)) : null;
  if (client.destroyed) return;
  if (target === null) return void client.end(RESPONSES.refused);
  const upstream = gate.track(dial(target));
  let open = false;
  client.once("close", () => upstream.destroy());
  upstream.on("error", (error: NodeJS.ErrnoException) => {
    if (open) return void client.destroy();
    gate.unreachable("connect", target, error);
    client.end(RESPONSES.unreachable);
  });
  upstream.once("connect", () => {
    open = true;
    client.write(RESPONSES.open);
    peek(client, head, target, (first) => {
      if (first === null) {
        gate.refused("connect", target, "server_name", `The TLS connection to ${target.host} is for another host`);
        client.destroy();
        return;
      }
      upstream.write(first);
      join(client, upstream);
    });
  });
}

/** Waits for the client's first bytes and judges them; null when they are not for this target. Browsers always speak first. */
function peek(client: Socket, head: Buffer, target: Target, then: (first: Buffer | null) => void): void {
  let bytes = head;
  const look = (): void => {
    const hello = readClientHello(bytes);
    if (hello === "more") return;
    client.off("data", onData).pause();
    client.setTimeout(0);
    then(fits(hello, target) ? bytes : null);
  };
  const onData = (chunk: Buffer): void => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    look();
  };
  client.setTimeout(FIRST_BYTES_MS, () => client.destroy());
  client.on("data", onData);
  look();
}

/** Port 443 speaks TLS; TLS names the host that was judged. Only a literal address goes without a name. */
function fits(hello: Exclude<ReturnType<typeof readClientHello>, "more">, target: Target): boolean {
  if (hello === "not_tls") return target.port !== 443;
  const literal = target.addresses[0] === target.host || target.host.startsWith("[");
  if (hello.name === null) return literal;
  return parseHost(hello.name)?.name === target.host;
}

/** Both ways, each with its own end; an error in one ends both. */
function join(client: Socket, upstream: Socket): void {
  const broken = (error: Error | null | undefined) => {
    if (!error) return;
    client.destroy();
    upstream.destroy();
  };
  pipeline(client, upstream, broken);
  pipeline(upstream, client, broken);
}
