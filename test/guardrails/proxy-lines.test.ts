/** What a page, or whoever has taken over a renderer, could say to the listener: nothing of it may open a connection. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EgressListener, openEgress } from "../../pool/guardrails/egress.ts";
import type { Refusal } from "../../pool/guardrails/egress-record.ts";
import { clientHello, labPolicy, openRawSite, openSocket, readUntil, type Site, tableResolver, talk } from "./lab.ts";

let site: Site;
let victim: Site;
let egress: EgressListener;
const refusals: Refusal[] = [];

beforeAll(async () => {
  site = await openRawSite((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"));
  victim = await openRawSite((socket) => socket.end("secret"), "127.0.0.2");
  egress = await openEgress();
  const names = tableResolver({
    "good.test": ["127.0.0.1"],
    "blocked.test": ["127.0.0.1"],
    "priv.test": ["127.0.0.2"],
    "a.ok.test": ["127.0.0.1"],
  });
  const rules = { allowed_domains: ["good.test", "*.ok.test", "priv.test", "127.0.0.2", "[::1]", "localhost"] };
  egress.attach(labPolicy(`127.0.0.1:${site.port}`, names, rules), (refusal) => refusals.push(refusal));
});
afterAll(async () => {
  await egress[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await victim[Symbol.asyncDispose]();
});

const NEVER = /^(?:HTTP\/1\.1 4\d\d [^\r]*\r\n(?:[^\r]+\r\n)*\r\n)?$/; // one refusal without a body, or just the end

describe("the listener reaches nobody for", () => {
  const connect = (authority: string, rest = "") => `CONNECT ${authority} HTTP/1.1\r\nHost: good.test\r\n\r\n${rest}`;
  const get = (target: string, headers = "Host: good.test\r\n") => `GET ${target} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`;
  const cases: [string, () => string][] = [
    ...[
      ...["127.0.0.1:80", "[::1]:80", "::1:80", "localhost:80", "0x7f.1:80", "2130706433:80", "[blocked.test]:80", "blocked.test.:443"],
      ...[
        "BLOCKED.TEST:443",
        "good.test",
        "good.test:99999",
        "good.test:0",
        "good.test:22",
        "good.test:-1",
        "good.test:",
        ":80",
        "/etc:80",
        "*:80",
      ],
      ...[
        "good.test@127.0.0.1:80",
        "good.test%00.ok.test:80",
        "a..ok.test:80",
        ".ok.test:80",
        "ok.test:80",
        "good.test:80/x",
        "[::ffff:127.0.0.1]:80",
      ],
      ...[
        "http://good.test/",
        "evil.test:443",
        "good.test.evil.test:443",
        "127.0.0.1.:80",
        "①②⑦.⓪.⓪.①:80",
        "[fe80::1%25lo]:80",
        "good.test:+80",
        "good.test:0080x",
      ],
    ].map((authority): [string, () => string] => [`CONNECT ${authority}`, () => connect(authority)]),
    ["CONNECT to a literal private address", () => connect(`127.0.0.2:${victim.port}`)],
    ["CONNECT to a name that leads there", () => connect(`priv.test:${victim.port}`)],
    ["CONNECT to a blocked name on an open port", () => connect(`blocked.test:${site.port}`)],
    ["CONNECT in HTTP/1.0 to a private address", () => `CONNECT 127.0.0.2:${victim.port} HTTP/1.0\r\n\r\n`],
    ["GET of a private address with an allowed Host", () => get(`http://127.0.0.2:${victim.port}/`)],
    ["GET of a private name with an allowed Host", () => get(`http://priv.test:${victim.port}/`, `Host: good.test:${site.port}\r\n`)],
    ["GET of a blocked name with an allowed Host", () => get(`http://blocked.test:${site.port}/`, `Host: good.test:${site.port}\r\n`)],
    ["GET with a user name that looks allowed", () => get(`http://good.test@127.0.0.2:${victim.port}/`)],
    ["GET with a user name on an allowed host", () => get(`http://user:pw@good.test:${site.port}/`)],
    ["GET with a backslash", () => get(`http://127.0.0.2:${victim.port}\\@good.test:${site.port}/`)],
    ["GET with an odd loopback", () => get(`http://0x7f.0.0.2:${victim.port}/`)],
    ["GET of https", () => get(`https://good.test:${site.port}/`)],
    ["GET of ftp", () => get("ftp://good.test/")],
    ["GET of file", () => get("file:///etc/passwd")],
    ["GET in origin form, naming the site", () => get("/", `Host: good.test:${site.port}\r\n`)],
    ["GET in origin form with two slashes", () => get(`//good.test:${site.port}/`)],
    ["OPTIONS *", () => `OPTIONS * HTTP/1.1\r\nHost: good.test:${site.port}\r\nConnection: close\r\n\r\n`],
    ["GET without a scheme", () => get(`good.test:${site.port}/`)],
    [
      "an upgrade on the plain path",
      () =>
        get(`http://good.test:${site.port}/`, "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n").replace(
          "Connection: close\r\n",
          "",
        ),
    ],
    ["HTTP/0.9", () => `GET http://good.test:${site.port}/\n\n`],
    ["HTTP/2 by prior knowledge", () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    [
      "two lengths",
      () => `POST http://good.test:${site.port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
    ],
    [
      "length and chunks",
      () =>
        `POST http://good.test:${site.port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET http://127.0.0.2:${victim.port}/ HTTP/1.1\r\n\r\n`,
    ],
    ["a folded header", () => `GET http://good.test:${site.port}/ HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n`],
    ["60 kB of headers", () => get(`http://good.test:${site.port}/`, `Host: x\r\nX-Long: ${"x".repeat(60_000)}\r\n`)],
    ["a TLS client that takes it for a server", () => "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc"],
    ["a STUN request", () => "\u0000\u0001\u0000\u0008!\u0012¤B"],
    ["SOCKS", () => "\u0005\u0001\u0000"],
  ];
  const say = async (bytes: string) => {
    const socket = await openSocket(egress.proxyUrl);
    socket.write(Buffer.from(bytes, "latin1")); // the client stays: Node gives no answer to one that has left
    const answer = await readUntil(socket);
    socket.destroy();
    return answer;
  };
  it.each(cases)("%s", async (_, bytes) => {
    expect(await say(bytes())).toMatch(NEVER);
    expect([site.hits, victim.hits]).toEqual([[], []]);
  });

  it("nothing else: what is allowed gets through, said the same way", async () => {
    expect(await say(get(`http://good.test:${site.port}/`))).toMatch(/^HTTP\/1\.1 200 [\s\S]*hi$/);
    expect(await say(get(`HTTP://GOOD.test.:${site.port}`, ""))).toMatch(/^HTTP\/1\.1 400/); // no Host header at all
    expect(await say(get(`HTTP://GOOD.test.:${site.port}`))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await say(connect(`good.test:${site.port}`, "GET / HTTP/1.1\r\n\r\n"))).toMatch(/^HTTP\/1\.1 200 [\s\S]*hi$/);
    expect(site.hits.splice(0)).toHaveLength(3);
  });

  it("a second request on a connection whose first one was allowed", async () => {
    const socket = await openSocket(egress.proxyUrl);
    socket.write(
      `GET http://good.test:${site.port}/ HTTP/1.1\r\nHost: x\r\n\r\nGET http://127.0.0.2:${victim.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    const answers = await readUntil(socket, "403");
    socket.destroy();
    expect(answers).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*HTTP\/1\.1 403/);
    expect(victim.hits).toEqual([]);
    expect(site.hits.splice(0)).toHaveLength(1);
  });
});

describe("inside a tunnel to an allowed host", () => {
  const open = async () => {
    const socket = await openSocket(egress.proxyUrl);
    socket.write(`CONNECT good.test:${site.port} HTTP/1.1\r\nHost: good.test:${site.port}\r\n\r\n`);
    expect(await readUntil(socket, "\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
    return socket;
  };

  it.each(["blocked.test", "good.test.evil.test", "sub.good.test"])("TLS for %s ends it before a byte of it gets there", async (name) => {
    const seen = egress.mark();
    const socket = await open();
    socket.write(await clientHello(name));
    expect(await readUntil(socket)).toBe("");
    expect(egress.since(seen)).toMatchObject([{ outcome: "refused", rule: "server_name", host: "good.test", kind: "connect" }]);
  });

  it("TLS without a name ends it too, as the host has one", async () => {
    const socket = await open();
    socket.write(await clientHello(undefined));
    expect(await readUntil(socket)).toBe("");
  });

  it("TLS for that host gets through, in one piece or in many", async () => {
    const hello = await clientHello("good.test");
    const whole = await open();
    whole.write(hello);
    expect(await readUntil(whole)).toContain("hi");
    const pieces = await open();
    for (const byte of hello) pieces.write(Buffer.from([byte]));
    expect(await readUntil(pieces)).toContain("hi");
  });
});

it("answers every refusal alike, whether a name is private, blocked or not there at all", async () => {
  const ask = (host: string) => talk(egress.proxyUrl, `GET http://${host}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const [priv, off, gone] = await Promise.all([ask("priv.test:81"), ask("blocked.test"), ask("a.b.ok.test")]);
  expect(priv).toMatch(/^HTTP\/1\.1 403 [\s\S]*Proxy-Status: understudy; error=http_request_denied\r\n/);
  expect([off, gone]).toEqual([priv, priv]);
  expect(refusals.map(({ rule }) => rule)).toEqual(expect.arrayContaining(["private_network", "allowed_domains", "dns"]));
});
