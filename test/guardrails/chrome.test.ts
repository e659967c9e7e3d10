/** One of our own spares, its default context, behind its listener: it reaches what the policy allows and nothing else, whichever way a page tries. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Browsers, type Lease, openBrowsers } from "../../pool/browsers/browsers.ts";
import { COUNTS_PROCESSES } from "../../pool/browsers/own-network.ts";
import { groupExists } from "../../pool/browsers/process-identity.ts";
import { type EgressListener, openEgress } from "../../pool/guardrails/egress.ts";
import type { Refusal } from "../../pool/guardrails/egress-record.ts";
import { openGuardrails } from "../../pool/guardrails/guardrails.ts";
import type { Resolve } from "../../pool/guardrails/resolve.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import type { Action } from "../../shared/action.ts";
import { AppError } from "../../shared/errors.ts";
import { openChrome } from "../support/chrome.ts";
import { guardrailsOf, labPolicy, openSite, type Site, tableResolver } from "./lab.ts";
import { answerVector, MUST_REACH } from "./vectors.ts";

/** The run's site; a second one that may be reached; one that is private; and one that a rebinding name shows first. */
let sites: { home: Site; friend: Site; victim: Site; front: Site };
let egress: EgressListener;
let browsers: Browsers<EgressListener>;
let lease: Lease<EgressListener>;
let dataDir: string;
const refusals: Refusal[] = [];
let enteredAgain = 0;
const OPTIONS = { nodeId: "node-test", slots: 2, warm: 1, chromePath: null, profileMib: 1024, endpoints: [], egressAdvertise: null };

beforeAll(async () => {
  const victim = await openSite(answerVector, "127.0.0.2");
  sites = {
    home: await openSite(answerVector),
    friend: await openSite(answerVector, "127.0.0.3"),
    victim,
    front: await openSite(answerVector, "127.0.0.4", victim.port),
  };
  dataDir = await mkdtemp(join(tmpdir(), "us-egress-"));
  await chmod(dataDir, 0o711);
  browsers = await openBrowsers({
    ...OPTIONS,
    ...{ dataDir, sandbox: "auto", openEgress, warm: 0 },
    log: createLog("debug", {}, (line) => (enteredAgain += Number(line.includes("has the network of an earlier one")))),
  });
  let pids: number[] = [];
  {
    await using earlier = await browsers.lease("earlier", { signal: AbortSignal.timeout(25_000), viewport: { width: 1280, height: 720 } });
    pids = browsers.list().flatMap(({ pid }) => pid ?? []);
    await earlier.page.goto(`http://localhost:${sites.home.port}/`);
  }
  await vi.waitFor(() => expect(pids.some(groupExists)).toBe(false), 10_000);
  enteredAgain = 0;
  lease = await browsers.lease("run", { signal: AbortSignal.timeout(25_000), viewport: { width: 1280, height: 720 } });
  ({ egress } = lease);
});
afterAll(async () => {
  await lease?.[Symbol.asyncDispose]();
  await browsers?.[Symbol.asyncDispose]();
  for (const site of Object.values(sites ?? {})) await site[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

const NETWORKS = () => `127.0.0.1:${sites.home.port}, 127.0.0.3:${sites.friend.port}, 127.0.0.4:${sites.front.port}`;
const NAMES = tableResolver({
  "friend.test": ["127.0.0.3"],
  "blocked.test": ["127.0.0.3"],
  "priv.test": ["127.0.0.2"],
  "both.test": ["127.0.0.3", "127.0.0.2"],
});
const RULES = { blocked_domains: ["blocked.test"] };

/** Attaches a policy, opens the page of all vectors in a tab of its own, and waits until all that it tried has come to something. */
async function tryEverything(target: string, enough: () => boolean, resolve: Resolve = NAMES, now?: () => number): Promise<void> {
  for (const site of Object.values(sites)) site.hits.length = 0;
  refusals.length = 0;
  egress.attach(labPolicy(NETWORKS(), resolve, RULES, now), (refusal) => refusals.push(refusal));
  const page = await lease.page.browserContext().newPage();
  try {
    await page.goto(`http://localhost:${sites.home.port}/vectors?target=${encodeURIComponent(target)}`);
    expect(await page.evaluate("window.done")).toBe("done");
    const popup = new Promise<Page | null>((opened) => page.once("popup", opened));
    await page.evaluate((url) => void window.open(url), `${target}/popup`);
    const opened = await popup;
    await vi.waitFor(() => expect(enough()).toBe(true), 15_000);
    await opened?.close();
  } finally {
    await page.close();
  }
}
const reached = (site: Site) => new Set(site.hits.map((hit) => (hit.split(" ")[2] ?? "").slice(1)));

describe("a page behind the listener", () => {
  it("is in the network of an earlier Chrome, where Chromes have their own: what follows holds there too", () => {
    expect(enteredAgain).toBe(browsers.tier === "netns" && COUNTS_PROCESSES ? 1 : 0);
  });

  it("reaches another origin in every way when the policy allows it (else the next tests prove nothing)", async () => {
    const missing = () => MUST_REACH.filter((vector) => !reached(sites.friend).has(vector));
    await tryEverything(`http://friend.test:${sites.friend.port}`, () => missing().length === 0);
    expect(refusals).toEqual([]);
  });

  it.each<[string, () => string, string]>([
    ["a private address", () => `http://127.0.0.2:${sites.victim.port}`, "private_network"],
    ["another spelling of it", () => `http://0x7f.2:${sites.victim.port}`, "private_network"],
    ["a name that leads to it", () => `http://priv.test:${sites.victim.port}`, "private_network"],
    ["a name that leads there too", () => `http://both.test:${sites.victim.port}`, "private_network"],
    ["a blocked host on an address that may be reached", () => `http://blocked.test:${sites.friend.port}`, "blocked_domains"],
  ])("never reaches %s", async (_, target, rule) => {
    await tryEverything(target(), () => refusals.length >= MUST_REACH.length); // each of them was refused once at least
    expect([sites.victim.hits, sites.friend.hits]).toEqual([[], []]);
    expect(sites.home.hits.length).toBeGreaterThan(5); // the page itself was there, and its redirects
    const { hostname } = new URL(target());
    expect(new Set(refusals.map((refusal) => `${refusal.rule} ${refusal.host}`))).toEqual(new Set([`${rule} ${hostname}`]));
    expect(new Set(refusals.map((refusal) => refusal.kind))).toEqual(new Set(["http", "connect"]));
  });

  it("never reaches a private address by a name that changes its mind at every question", async () => {
    let asked = 0;
    let now = 0;
    const rebinding: Resolve = async (host) => (host !== "rebind.test" ? NAMES(host) : [asked++ % 2 === 0 ? "127.0.0.4" : "127.0.0.2"]);
    const answered = () => refusals.length + sites.front.hits.length >= MUST_REACH.length;
    await tryEverything(`http://rebind.test:${sites.victim.port}`, answered, rebinding, () => (now += 6_000)); // no answer is ever kept
    expect(sites.victim.hits).toEqual([]);
    expect(sites.front.hits.length).toBeGreaterThan(3);
    expect(refusals.length).toBeGreaterThan(3);
  });
});

describe("a goto that was refused on its way", () => {
  const goto = (url: string): Action => ({ action: "goto", selector: null, params: { url }, timeout_ms: null });

  it.each<[string, () => string, object | null]>([
    ["by http after a redirect", () => redirect("http://blocked.test/"), { rule: "blocked_domains", host: "blocked.test" }],
    ["by CONNECT after a redirect", () => redirect("https://blocked.test/"), { rule: "blocked_domains", host: "blocked.test" }],
    ["to a private address", () => redirect(`http://127.0.0.2:${sites.victim.port}/`), { rule: "private_network", host: "127.0.0.2" }],
    ["by nobody: the server is not there", () => `http://friend.test:${sites.friend.port}/ok`, null],
  ])("%s is explained by the record of the listener", async (_, url, expected) => {
    const policy = labPolicy(NETWORKS(), NAMES, RULES);
    egress.attach(policy, () => {});
    const run = openGuardrails({ guardrails: guardrailsOf(RULES), policy, egress });
    const page = await lease.page.browserContext().newPage();
    try {
      await page.goto(`http://localhost:${sites.home.port}/`);
      const action = goto(url());
      expect(await run.ask(action, { url: page.url() })).toMatchObject({ kind: "allow" });
      const error: unknown = await page.goto(url()).then(
        () => null,
        (
          cause: Error, // as the action `goto` tells it
        ) => new AppError("STEP_FAILED", cause.message, { cause, details: { net_error: /net::\w+/.exec(cause.message)?.[0] } }),
      );
      const verdict = run.after({ origin: "author", action, url: page.url(), error });
      if (expected === null) expect(verdict).toBeNull();
      else expect(verdict).toMatchObject({ kind: "block", ...expected });
    } finally {
      await page.close();
    }
  });

  const redirect = (to: string) => `http://localhost:${sites.home.port}/redirect?to=${encodeURIComponent(to)}`;
});

it("refuses everything before a policy is attached, and the page after it loads at once", async () => {
  await using spare = await browsers.lease("next", { signal: AbortSignal.timeout(25_000), viewport: { width: 1280, height: 720 } });
  await using site = await openSite((_, response) => response.end("here")); // its own: the other Chrome's workers still look at theirs
  const url = `http://localhost:${site.port}/`;
  expect((await spare.page.goto(url))?.status()).toBe(403);
  expect(site.hits).toEqual([]);
  spare.egress.attach(labPolicy(`127.0.0.1:${site.port}`, NAMES), () => {});
  expect((await spare.page.goto(url))?.status()).toBe(200);
});

it("sends nothing by UDP, in whatever tier: no STUN question, no data channel, no WebTransport", async () => {
  const sink = createSocket("udp4");
  let packets = 0;
  sink.on("message", () => (packets += 1));
  await new Promise<void>((resolve) => sink.bind(0, "127.0.0.1", resolve));
  const { port } = sink.address();
  const speak = `(async () => {
    const joined = [new RTCPeerConnection({ iceServers: [{ urls: "stun:127.0.0.1:${port}" }] }), new RTCPeerConnection()];
    const gathered = new Promise((resolve) => (joined[0].onicecandidate = ({ candidate }) => candidate ?? resolve()));
    joined[0].createDataChannel("x");
    await joined[0].setLocalDescription();
    await joined[1].setRemoteDescription(joined[0].localDescription);
    await joined[1].setLocalDescription();
    await joined[0].setRemoteDescription(joined[1].localDescription);
    const candidate = "candidate:1 1 udp 2122260223 127.0.0.1 ${port} typ host";
    await joined[0].addIceCandidate({ candidate, sdpMid: "0", sdpMLineIndex: 0 });
    const transport = window.WebTransport && new WebTransport("https://127.0.0.1:${port}/").ready.catch(() => {});
    await Promise.race([Promise.all([gathered, transport]), new Promise((resolve) => setTimeout(resolve, 1500))]);
  })()`;
  const speakIn = async (page: Page): Promise<number> => {
    packets = 0;
    await page.goto(`http://localhost:${sites.home.port}/`);
    await page.evaluate(speak);
    return packets;
  };
  try {
    {
      await using unguarded = await openChrome(); // closed again: it goes on knocking
      expect(await speakIn(await unguarded.browser.newPage())).toBeGreaterThan(0); // else the rest proves nothing
    }
    await using opened = new AsyncDisposableStack();
    const leases = [lease];
    for (const isolation of ["process", "context"] as const) {
      const unboxed = { sandbox: "off", isolation, openEgress, log: createLog("silent") } as const;
      const open = opened.use(await openBrowsers({ ...OPTIONS, ...unboxed, dataDir: await mkdtemp(join(dataDir, "off-")) }));
      leases.push(opened.use(await open.lease("run", { signal: AbortSignal.timeout(25_000), viewport: { width: 1280, height: 720 } })));
    }
    for (const each of leases) {
      each.egress.attach(labPolicy(NETWORKS(), NAMES), () => {});
      expect(await speakIn(each.page)).toBe(0);
      expect(await speakIn(await each.page.browserContext().newPage())).toBe(0);
    }
  } finally {
    await new Promise<void>((resolve) => sink.close(() => resolve()));
  }
});

it("carries a WebSocket both ways", async () => {
  await using site = await openSite(() => {});
  const { createHash } = await import("node:crypto");
  site.server.on("upgrade", (request, socket) => {
    const key = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
    socket.write(Buffer.from([0x81, 5, ...Buffer.from("hello")]));
  });
  egress.attach(labPolicy(`${NETWORKS()}, 127.0.0.1:${site.port}`, NAMES), () => {});
  const page = await lease.page.browserContext().newPage();
  await page.goto(`http://localhost:${sites.home.port}/`);
  const upgraded = once(site.server, "upgrade");
  const heard = await page.evaluate(
    (url) => new Promise((resolve) => (new WebSocket(url).onmessage = ({ data }) => resolve(data))),
    `ws://localhost:${site.port}/`,
  );
  await upgraded;
  expect(heard).toBe("hello");
  await page.close();
});
