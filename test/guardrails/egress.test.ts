import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request as openRequest, type RequestOptions } from "node:http";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EgressListener, openEgress } from "../../pool/guardrails/egress.ts";
import type { Refusal } from "../../pool/guardrails/egress-record.ts";
import { labPolicy, openRawSite, openSite, openSocket, readUntil, type Site, tableResolver, talk } from "./lab.ts";

let stack: AsyncDisposableStack;
let egress: EgressListener;
let refusals: Refusal[];
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  egress = stack.use(await openEgress());
  refusals = [];
});
afterEach(() => stack.disposeAsync());

const names = tableResolver({
  "good.test": ["127.0.0.1"],
  "blocked.test": ["127.0.0.1"],
  "two.test": ["127.0.0.3", "127.0.0.1"],
  "update.googleapis.com": ["127.0.0.1"],
});
const attach = (networks = "127.0.0.0/8") =>
  egress.attach(labPolicy(networks, names, { blocked_domains: ["blocked.test"] }), (refusal) => refusals.push(refusal));

/** One request through the listener, as a browser sends it. */
function send(url: string, options: RequestOptions = {}): ClientRequest {
  const proxy = new URL(egress.proxyUrl);
  return openRequest({
    host: proxy.hostname,
    port: proxy.port,
    path: url,
    agent: false,
    ...options,
    headers: { Host: new URL(url).host, ...options.headers },
  });
}
async function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return response;
}
async function bodyOf(response: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
const get = async (url: string, options: RequestOptions = {}) => {
  const response = await answerOf(send(url, options).end());
  return { status: response.statusCode, headers: response.headers, body: await bodyOf(response) };
};
const urlOf = (site: Site, path = "/", host = "good.test") => `http://${host}:${site.port}${path}`;
const serve = async (...args: Parameters<typeof openSite>) => stack.use(await openSite(...args));
const serveRaw = async (...args: Parameters<typeof openRawSite>) => stack.use(await openRawSite(...args));

describe("without a policy", () => {
  it("refuses everything on a connection that stays, and lets the next request on it through once a policy is attached", async () => {
    const site = await serve((_, response) => response.end("hi"));
    const socket = await openSocket(egress.proxyUrl);
    const ask = `GET ${urlOf(site)} HTTP/1.1\r\nHost: good.test\r\n\r\n`;
    socket.write(ask);
    expect(await readUntil(socket, "\r\n\r\n")).toMatch(/^HTTP\/1\.1 403 /);
    socket.write(ask);
    expect(await readUntil(socket, "\r\n\r\n")).toMatch(/^HTTP\/1\.1 403 /);
    attach();
    socket.write(ask);
    expect(await readUntil(socket, "hi")).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
    expect(await talk(egress.proxyUrl, `CONNECT blocked.test:443 HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(refusals).toHaveLength(1); // what came before was no run's doing
  });
});

describe("a plain request", () => {
  it("gets there as it was sent, without what is between browser and proxy, under the host that was judged", async () => {
    let seen: IncomingMessage | undefined;
    const site = await serve((request, response) => {
      seen = request;
      response.writeHead(
        201,
        "Made",
        [
          ["Set-Cookie", "a=1"],
          ["Set-Cookie", "b=2"],
          ["X-Odd", "äö"],
          ["Connection", "X-Hop"],
          ["X-Hop", "1"],
          ["Proxy-Authenticate", "Basic"],
        ].flat(),
      );
      response.end("done");
    });
    attach();
    const headers = {
      Host: "evil.test",
      "Proxy-Connection": "keep-alive",
      "Proxy-Authorization": "Basic eDp5",
      Connection: "X-Drop",
      "X-Drop": "1",
      "X-Keep": "1",
      TE: "trailers",
    };
    const answer = await get(urlOf(site, "/a%20b?c=d|e"), { headers });
    expect(seen?.url).toBe("/a%20b?c=d|e");
    expect(seen?.headers).toEqual({ host: `good.test:${site.port}`, "x-keep": "1", connection: "keep-alive" });
    expect(answer).toMatchObject({ status: 201, body: "done" });
    expect(answer.headers).toMatchObject({ "set-cookie": ["a=1", "b=2"], "x-odd": "äö" });
    expect(answer.headers).not.toHaveProperty("x-hop");
    expect(answer.headers).not.toHaveProperty("proxy-authenticate");
  });

  it.each([
    ["a length", { "Content-Length": String(3_000_000) }],
    ["chunks", { "Transfer-Encoding": "chunked" }],
  ])("carries a body with %s there and back", async (_, headers) => {
    const site = await serve((request, response) => request.pipe(response));
    attach();
    const sent = "0123456789".repeat(300_000);
    const request = send(urlOf(site), { method: "POST", headers });
    request.end(sent);
    expect(await bodyOf(await answerOf(request))).toBe(sent);
  });

  it.each([
    ["HEAD", 200, { "Content-Length": "12" }],
    ["GET", 204, {}],
    ["GET", 304, { ETag: '"x"', "Content-Length": "99" }],
    ["DELETE", 204, {}],
    ["OPTIONS", 204, { Allow: "GET" }],
  ])("ends without a body after %s %i, and keeps its connection", async (method, status, headers) => {
    const site = await serve((_, response) => response.writeHead(status, headers).end());
    attach();
    const socket = await openSocket(egress.proxyUrl);
    for (let i = 0; i < 2; i++) {
      socket.write(`${method} ${urlOf(site)} HTTP/1.1\r\nHost: x\r\n\r\n`);
      const head = await readUntil(socket, "\r\n\r\n");
      expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\\r\\n\\r\\n$`));
      for (const [name, value] of Object.entries(headers)) expect(head).toContain(`${name}: ${value}`);
      expect(head).not.toContain("Transfer-Encoding");
    }
    socket.destroy();
    expect(site.hits).toHaveLength(2);
  });

  it("passes an event stream on as it comes, headers before the first event", async () => {
    let push = (_: string) => {};
    const site = await serve((_, response) => {
      push = (text) => response.write(text);
      response.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
    });
    attach();
    const response = await answerOf(send(urlOf(site)).end());
    for (const text of ["data: 1\n\n", "data: 2\n\n"]) {
      push(text);
      const [chunk] = (await once(response, "data")) as [Buffer];
      expect(chunk.toString()).toBe(text);
    }
    response.destroy();
  });

  it("reads an answer of HTTP/1.0 to its end", async () => {
    const site = await serveRaw((socket) => socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\n\r\nto the end")));
    attach();
    expect(await get(urlOf(site))).toMatchObject({ status: 200, body: "to the end" });
  });

  it("holds the server back when the browser does not read", async () => {
    let sent = 0;
    const total = 96 * 1024 * 1024;
    const chunk = Buffer.alloc(1024 * 1024);
    const site = await serve((request, response) => {
      if (request.url === "/ping") return void response.end("pong");
      response.writeHead(200, { "Content-Length": total });
      const more = () => {
        while (sent < total) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once("drain", more);
        }
        response.end();
      };
      more();
    });
    attach();
    const response = await answerOf(send(urlOf(site, "/big")).end());
    for (let i = 0; i < 100; i++) expect((await get(urlOf(site, "/ping"))).body).toBe("pong"); // time enough for all of it
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    let received = 0;
    for await (const part of response) received += part.length;
    expect(received).toBe(total);
  });

  it.each([
    ["with a length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"],
    ["in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
  ])("breaks the browser's connection when the server breaks off a body %s", async (_, bytes) => {
    const site = await serveRaw((socket) => socket.once("data", () => socket.write(bytes, () => socket.end())));
    attach();
    const response = await answerOf(send(urlOf(site)).end());
    await expect(bodyOf(response)).rejects.toThrow("aborted");
  });

  it("breaks it as well when the server resets it mid-body", async () => {
    const site = await serveRaw((socket) => socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")));
    attach();
    const response = await answerOf(send(urlOf(site)).end());
    for (const socket of site.sockets) socket.resetAndDestroy();
    await expect(bodyOf(response)).rejects.toThrow("aborted");
  });

  it("ends the request to the server when the browser leaves", async () => {
    let left: Promise<unknown> = Promise.resolve();
    const site = await serve((_, response) => {
      left = once(response, "close");
      response.write("first");
    });
    attach();
    const request = send(urlOf(site)).end();
    const response = await answerOf(request);
    await once(response, "data");
    request.destroy();
    await left;
  });

  it("is sent once more when the server has just closed the kept connection it went out on", async () => {
    const site = await serveRaw((socket) => {
      let requests = 0;
      socket.on("data", () => {
        requests += 1;
        if (requests > 1) socket.destroy();
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
      });
    });
    attach();
    expect((await get(urlOf(site))).body).toBe("hi");
    expect((await get(urlOf(site))).body).toBe("hi");
    expect(site.hits).toHaveLength(2);
  });

  it.each(["POST", "DELETE"])("never reaches the server twice when it is a %s, even one without a body", async (method) => {
    const methods: string[] = [];
    const site = await serveRaw((socket) => {
      let requests = 0;
      socket.on("data", (bytes) => {
        methods.push(bytes.toString("latin1").split(" ")[0] ?? "");
        requests += 1;
        if (requests > 1) socket.destroy();
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
      });
    });
    attach();
    await get(urlOf(site));
    await bodyOf(await answerOf(send(urlOf(site), { method, headers: { "Content-Length": 0 } }).end()));
    expect(methods).toEqual(["GET", method]);
    expect(site.hits).toHaveLength(2);
  });

  it("goes out on a fresh connection when it has a body, which could not be sent twice", async () => {
    const site = await serve((request, response) => void request.resume().on("end", () => response.end("ok")));
    attach();
    await get(urlOf(site));
    const request = send(urlOf(site), { method: "POST", headers: { "Content-Length": 2 } });
    request.end("hi");
    expect(await bodyOf(await answerOf(request))).toBe("ok");
    expect(site.hits).toHaveLength(2);
    expect((await get(urlOf(site))).body).toBe("ok");
  });

  it.each([
    ["nothing", ""],
    ["what is not HTTP", "SSH-2.0-OpenSSH_9.2\r\n"],
    [
      "a proxy's own question for a password",
      "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
    ],
    [
      "a switch of protocols that nobody asked for",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
    ["length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ])("becomes an empty 502 when the server answers %s", async (_, bytes) => {
    const site = await serveRaw((socket) => socket.once("data", () => socket.end(bytes)));
    attach();
    expect(await get(urlOf(site))).toMatchObject({
      status: 502,
      body: "",
      headers: { "proxy-status": expect.stringContaining("understudy; error=") },
    });
  });

  it("becomes a 502 when nobody listens, and the record says so", async () => {
    const gone = await openSite(() => {});
    await gone[Symbol.asyncDispose]();
    attach();
    expect((await get(urlOf(gone))).status).toBe(502);
    expect(egress.since(0).at(-1)).toMatchObject({
      outcome: "unreachable",
      host: "good.test",
      port: gone.port,
      kind: "http",
      code: "ECONNREFUSED",
    });
    expect(await talk(egress.proxyUrl, `CONNECT good.test:${gone.port} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(/^HTTP\/1\.1 502 /);
    expect(egress.since(0).at(-1)).toMatchObject({ outcome: "unreachable", kind: "connect", code: "ECONNREFUSED" });
  });

  it("tries the next judged address when the first one does not answer", async () => {
    const site = await serve((_, response) => response.end("hi"));
    attach();
    expect((await get(urlOf(site, "/", "two.test"))).body).toBe("hi");
    expect(await talk(egress.proxyUrl, `CONNECT two.test:${site.port} HTTP/1.1\r\nHost: x\r\n\r\n`, "\r\n\r\n")).toMatch(
      /^HTTP\/1\.1 200 /,
    );
  });
});

describe("a tunnel", () => {
  const open = async (site: Site, more = "") => {
    const socket = await openSocket(egress.proxyUrl);
    socket.write(`CONNECT good.test:${site.port} HTTP/1.1\r\nHost: x\r\n\r\n${more}`);
    expect(await readUntil(socket, "\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
    return socket;
  };

  it("carries whatever is said, both ways, also what came with the CONNECT", async () => {
    const site = await serveRaw((socket) => socket.on("data", (chunk) => socket.write(chunk)));
    attach();
    const socket = await open(site, "GET /socket");
    expect(await readUntil(socket, "GET /socket")).toBe("GET /socket");
    socket.write("more");
    expect(await readUntil(socket, "more")).toBe("more");
    socket.destroy();
  });

  it("gives everything that the server sent before it closed", async () => {
    const body = "x".repeat(5_000_000);
    const site = await serveRaw((socket) => socket.once("data", () => socket.end(body)));
    attach();
    const socket = await open(site);
    socket.write("go");
    expect(await readUntil(socket)).toHaveLength(body.length);
    socket.destroy();
  });

  it("lets the server answer a client that has said all it has to say", async () => {
    const site = await serveRaw((socket) => {
      let size = 0;
      socket.on("data", (chunk) => (size += chunk.length)).on("end", () => socket.end(String(size)));
    });
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    attach();
    const socket = await open(site);
    socket.on("close", () => resolve());
    socket.end("y".repeat(1_000_000));
    expect(await readUntil(socket)).toBe("1000000");
    await closed;
  });

  it("ends at the server when the browser leaves, and at the browser when the server resets", async () => {
    const opened = Promise.withResolvers<{ closed: Promise<unknown> }>();
    const site = await serveRaw((socket) => opened.resolve({ closed: once(socket.resume(), "close") }));
    attach();
    const first = await open(site, "hello");
    const { closed } = await opened.promise;
    first.resetAndDestroy();
    await closed;

    const second = await open(site, "hello");
    for (const socket of site.sockets) socket.resetAndDestroy();
    expect(await readUntil(second)).toBe("");
    second.destroy();
  });
});

describe("what it tells of itself", () => {
  it("tells each refusal, by rule, host and port; the first of a kind is marked, and paths are never told", async () => {
    const site = await serve((_, response) => response.end("hi"));
    attach(`127.0.0.1:${site.port}`);
    const before = egress.mark();
    expect((await get("http://blocked.test/secret?token=1")).status).toBe(403);
    expect((await get("http://blocked.test/again")).status).toBe(403);
    expect((await get("http://127.0.0.1:1/")).status).toBe(403);
    await talk(egress.proxyUrl, "CONNECT nowhere.test:443 HTTP/1.1\r\nHost: x\r\n\r\n");
    const blocked = { outcome: "refused", rule: "blocked_domains", host: "blocked.test", port: 80, kind: "http" };
    expect(refusals).toMatchObject([
      { ...blocked, first: true },
      { ...blocked, first: false },
      { rule: "private_network", host: "127.0.0.1", port: 1, first: true },
      { rule: "dns", host: "nowhere.test", port: 443, kind: "connect" },
    ]);
    expect(JSON.stringify(refusals)).not.toMatch(/secret|token/);
    expect(egress.since(before)).toEqual(refusals);
  });

  it("refuses what Chrome itself talks to, and keeps it out of the run's events", async () => {
    await serve((_, response) => response.end("hi"));
    attach();
    expect((await get("http://update.googleapis.com/service/update2")).status).toBe(403);
    expect(await talk(egress.proxyUrl, "CONNECT accounts.google.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")).toMatch(/^HTTP\/1\.1 403 /);
    expect(refusals).toEqual([]);
    expect(egress.since(0).at(-1)).toMatchObject({ rule: "chrome_background", host: "accounts.google.com" });
  });

  it("keeps a bounded record, however many hosts a page tries", async () => {
    attach();
    for (let i = 0; i < 300; i++) await get(`http://127.0.0.1:22/`);
    expect(egress.since(0)).toHaveLength(200);
    expect(egress.mark()).toBe(300);
  });
});

describe("its end", () => {
  it("destroys every connection, and the port is free", async () => {
    const site = await serveRaw((socket) => socket.on("data", (chunk) => socket.write(chunk)));
    attach();
    const socket = await openSocket(egress.proxyUrl);
    socket.write(`CONNECT good.test:${site.port} HTTP/1.1\r\nHost: x\r\n\r\nhello`);
    await readUntil(socket, "hello");
    const gone = once(socket.resume(), "end");
    await egress[Symbol.asyncDispose]();
    await gone;
    await Promise.all([...site.sockets].map((each) => once(each, "close")));
    await expect(openSocket(egress.proxyUrl)).rejects.toThrow("ECONNREFUSED");
    await egress[Symbol.asyncDispose](); // a second end is none
  });

  it("of one policy and the start of another cuts what the first one let through", async () => {
    const site = await serveRaw((socket) => socket.on("data", (chunk) => socket.write(chunk)));
    attach();
    const socket = await openSocket(egress.proxyUrl);
    socket.write(`CONNECT good.test:${site.port} HTTP/1.1\r\nHost: x\r\n\r\nhello`);
    await readUntil(socket, "hello");
    egress.attach(labPolicy("", names), () => {});
    await once(socket.resume(), "end");
    expect((await get(urlOf(site))).status).toBe(403);
  });

  it("of its run cuts what is open, and refuses everything from then on: it keeps its port, and takes no policy any more", async () => {
    const site = await serveRaw((socket) => socket.on("data", (chunk) => socket.write(chunk)));
    attach();
    const tunnel = await openSocket(egress.proxyUrl);
    tunnel.write(`CONNECT good.test:${site.port} HTTP/1.1\r\nHost: x\r\n\r\nhello`);
    await readUntil(tunnel, "hello");
    const [upstream] = site.sockets;
    const over = Promise.all([once(tunnel.resume(), "end"), once(upstream as Socket, "close")]);
    egress.cut();
    await over;
    for (const again of [() => {}, attach, egress.cut]) {
      again();
      expect((await get(urlOf(site))).status).toBe(403);
    }
    expect(site.hits).toHaveLength(1);
  });

  it("leaves its neighbours alone: each listener has its own policy", async () => {
    const site = await serve((_, response) => response.end("hi"));
    await using other = await openEgress();
    other.attach(labPolicy("", names), () => {});
    attach();
    expect((await get(urlOf(site))).status).toBe(200);
    expect(await talk(other.proxyUrl, `GET ${urlOf(site)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403 /);
  });
});
