import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { connectOnNode } from "../../../edge/main-node-connect.ts";
import type { WireAnswer } from "../../../edge/wire/exchange.ts";
import { createHttpClient } from "../../../edge/wire/http-client.ts";

const opened: Server[] = [];
afterEach(() => {
  for (const server of opened.splice(0)) server.close();
});

/** A server on bare sockets; `onRequest` is told of each request on its connection, and of how many came on it before. */
async function serverThat(onRequest: (socket: Socket, before: number) => void) {
  const connections: Socket[] = [];
  const server = createServer((socket) => {
    connections.push(socket);
    let before = 0;
    socket.on("error", () => {});
    socket.on("data", () => onRequest(socket, before++));
  });
  opened.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { connections, client: createHttpClient({ hostname: "127.0.0.1", port, tls: false }, connectOnNode) };
}

const get = { method: "GET", target: "/", headers: {}, limitMs: 2_000 } as const;
const text = async (answer: WireAnswer) => {
  let all = "";
  for (let chunk = await answer.read(); chunk !== null; chunk = await answer.read()) all += Buffer.from(chunk).toString();
  return all;
};
const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe("an HTTP client", () => {
  it("uses a connection again once an answer was read to its end", async () => {
    const { client, connections } = await serverThat((socket, before) => socket.write(ok(`answer ${before}`)));
    expect(await text(await client.send(get))).toBe("answer 0");
    expect(await text(await client.send(get))).toBe("answer 1");
    expect(connections).toHaveLength(1);
    client.close();
  });

  it("opens as many connections as there are requests under way", async () => {
    const { client, connections } = await serverThat((socket) => socket.write(ok("x")));
    await Promise.all(Array.from({ length: 5 }, async () => text(await client.send(get))));
    expect(connections).toHaveLength(5);
    client.close();
  });

  it("sends once more on a new connection when a reused one is dead", async () => {
    const { client, connections } = await serverThat((socket, before) => (before === 0 ? socket.write(ok("x")) : socket.destroy()));
    await text(await client.send(get));
    expect(await text(await client.send(get))).toBe("x");
    expect(connections).toHaveLength(2);
    client.close();
  });

  it("does not send a third time", async () => {
    const { client, connections } = await serverThat((socket) => socket.destroy());
    await expect(client.send(get)).rejects.toMatchObject({ code: "POOL_UNREACHABLE", details: { reason: "reset" } });
    expect(connections).toHaveLength(1);
  });

  it("does not say that a request was refused which was sent on a connection that broke", async () => {
    const { client } = await serverThat((socket, before) => {
      if (before > 0) opened[0]?.close();
      if (before > 0) socket.destroy();
      else socket.write(ok("x"));
    });
    await text(await client.send(get));
    await expect(client.send(get)).rejects.toMatchObject({ code: "POOL_UNREACHABLE", details: { reason: "reset" } });
  });

  it("notices that a peer has closed a connection at rest", async () => {
    const { client, connections } = await serverThat((socket) => socket.write(ok("x")));
    await text(await client.send(get));
    const closed = once(connections[0] as Socket, "close");
    connections[0]?.end();
    await closed;
    await text(await client.send(get));
    expect(connections).toHaveLength(2);
    client.close();
  });

  it("reads an answer that arrives byte by byte", async () => {
    const { client } = await serverThat(async (socket) => {
      socket.setNoDelay(true);
      for (const char of "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") {
        socket.write(char);
        await new Promise(setImmediate);
      }
    });
    expect(await text(await client.send(get))).toBe("hello");
    client.close();
  });

  it("reads over interim answers", async () => {
    const { client } = await serverThat((socket) =>
      socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${ok("x")}`),
    );
    expect(await text(await client.send(get))).toBe("x");
    client.close();
  });

  it("gives up on a head that does not come in time, and on a body where it is told to", async () => {
    const { client, connections } = await serverThat((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"));
    await expect(client.send({ ...get, limitMs: 50 })).rejects.toMatchObject({ code: "UPSTREAM_TIMEOUT" });
    const body = await serverThat((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
    const answer = await body.client.send({ ...get, limitMs: 50, limitsBody: true });
    await expect(text(answer)).rejects.toMatchObject({ code: "UPSTREAM_TIMEOUT" });
    await Promise.all([...connections, ...body.connections].map((socket) => socket.closed || once(socket, "close")));
  });

  it("gives up on a head without end", async () => {
    const { client } = await serverThat((socket) => socket.write(`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(10_000)}`));
    await expect(client.send(get)).rejects.toMatchObject({ details: { reason: "garbage" } });
  });

  it("closes the connection with the signal's reason, before the head and within the body", async () => {
    const silent = await serverThat(() => {});
    const stop = new AbortController();
    const reason = new Error("the client left");
    const waiting = silent.client.send({ ...get, signal: stop.signal });
    const connection = new Promise<Socket>((resolve) => {
      const look = () => (silent.connections[0] ? resolve(silent.connections[0]) : setImmediate(look));
      look();
    });
    const closed = once(await connection, "close");
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await closed;
    await expect(silent.client.send({ ...get, signal: stop.signal })).rejects.toBe(reason);

    const endless = await serverThat((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
    const later = new AbortController();
    const answer = await endless.client.send({ ...get, signal: later.signal });
    expect(await answer.read()).toHaveLength(3);
    later.abort(reason);
    await expect(answer.read()).rejects.toBe(reason);
  });

  it("closes the connection of an answer that is cancelled, and of no other", async () => {
    const { client, connections } = await serverThat((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
    const answer = await client.send(get);
    const closed = once(connections[0] as Socket, "close");
    answer.cancel();
    await closed;
    const whole = await serverThat((socket) => socket.write(ok("x")));
    const read = await whole.client.send(get);
    await text(read);
    read.cancel(); // too late to matter
    await text(await whole.client.send(get));
    expect(whole.connections).toHaveLength(1);
    whole.client.close();
  });

  it("never sends what would break out of a header", async () => {
    const { client } = await serverThat((socket) => socket.write(ok("x")));
    await expect(client.send({ ...get, headers: { "x-name": "a\r\nAuthorization: b" } })).rejects.toThrow("visible ASCII");
    await expect(client.send({ ...get, target: "/\r\nHost: b" })).rejects.toThrow("visible ASCII");
  });

  it("says that a connection was refused", async () => {
    const { client } = await serverThat(() => {});
    const server = opened.pop();
    server?.close();
    await once(server as Server, "close");
    await expect(client.send(get)).rejects.toMatchObject({ code: "POOL_UNREACHABLE", details: { reason: "refused" } });
  });
});
