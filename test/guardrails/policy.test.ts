import { networkInterfaces } from "node:os";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBackgroundHost } from "../../pool/guardrails/background-hosts.ts";
import { createPolicy } from "../../pool/guardrails/policy.ts";
import { parsePrivateNetworks } from "../../pool/guardrails/private-networks.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";
import { ANSWERS, BLOCKED, CORPUS, type CorpusRow, LISTED, PRIVATE_NETWORKS, PUBLIC_ADDRESS } from "./corpus.ts";
import { guardrailsOf, labPolicy, tableResolver } from "./lab.ts";

const resolve = async (host: string) => ANSWERS[host] ?? [PUBLIC_ADDRESS];
const privateNetworks = parsePrivateNetworks(PRIVATE_NETWORKS);
const policies: Record<CorpusRow["guardrails"], ReturnType<typeof createPolicy>> = {
  public: createPolicy(guardrailsOf({ blocked_domains: BLOCKED }), { privateNetworks, resolve }),
  listed: createPolicy(guardrailsOf({ allowed_domains: LISTED }), { privateNetworks, resolve }),
  private: createPolicy(guardrailsOf({ allow_private_networks: true }), { privateNetworks, resolve }),
};

describe("the corpus", () => {
  for (const { about, guardrails, rule, urls } of CORPUS) {
    it(`${rule === "allow" ? "lets a run reach" : `refuses by ${rule}:`} ${about}`, async () => {
      for (const url of urls) {
        const verdict = await policies[guardrails].judgeUrl(url);
        expect.soft([url, verdict.kind === "allow" ? "allow" : verdict.rule]).toEqual([url, rule]);
      }
    });
  }

  it("has several hundred rows, a good part of them benign", () => {
    const count = (rows: CorpusRow[]) => rows.reduce((sum, row) => sum + row.urls.length, 0);
    expect(count(CORPUS)).toBeGreaterThan(400);
    expect(count(CORPUS.filter((row) => row.rule === "allow"))).toBeGreaterThan(120);
  });

  it("is judged the same by whoever connects: no URL that is refused gets an address to dial", async () => {
    for (const { guardrails, rule, urls } of CORPUS) {
      if (["allow", "url", "url_scheme", "url_userinfo"].includes(rule)) continue;
      for (const url of urls) {
        const { hostname, port, protocol } = new URL(url);
        const verdict = await policies[guardrails].judgeHost(hostname, Number(port || (protocol === "https:" ? 443 : 80)));
        expect([url, verdict.kind]).toEqual([url, "block"]);
      }
    }
  });
});

describe("judgeHost", () => {
  it("gives the judged addresses in the order to dial them, IPv4 first", async () => {
    expect(await policies.public.judgeHost("dual.test", 443)).toEqual({
      kind: "allow",
      host: "dual.test",
      port: 443,
      addresses: [PUBLIC_ADDRESS, "2606:4700::6810:84e5"],
    });
    expect(await policies.public.judgeHost("8.8.8.8", 80)).toMatchObject({ addresses: ["8.8.8.8"] });
    expect(await policies.public.judgeHost("[2606:4700:4700::1111]", 80)).toMatchObject({ addresses: ["2606:4700:4700::1111"] });
  });

  it("never asks a resolver about what the rules refuse by name, so that no name leaks", async () => {
    const names = tableResolver({});
    const policy = labPolicy("", names, { allowed_domains: ["good.test"] });
    for (const host of ["secret.evil.test", "localhost", "intranet", "10.0.0.1", "update.googleapis.com", "printer.local"])
      await policy.judgeHost(host, 80);
    expect(names.asked).toEqual([]);
  });

  it("asks once for many at the same time, and again after five seconds", async () => {
    const names = tableResolver({ "good.test": [PUBLIC_ADDRESS] });
    let now = 0;
    const policy = labPolicy("", names, {}, () => now);
    await Promise.all(Array.from({ length: 50 }, () => policy.judgeHost("good.test", 80)));
    now = 4_999;
    await policy.judgeHost("good.test", 80);
    expect(names.asked).toHaveLength(1);
    now = 5_001;
    await policy.judgeHost("good.test", 80);
    expect(names.asked).toHaveLength(2);
  });

  it("refuses a name that turns private after it was public", async () => {
    const answers = { "flip.test": [PUBLIC_ADDRESS] };
    let now = 0;
    const policy = labPolicy("", tableResolver(answers), {}, () => now);
    expect(await policy.judgeHost("flip.test", 80)).toMatchObject({ kind: "allow", addresses: [PUBLIC_ADDRESS] });
    answers["flip.test"] = ["127.0.0.1"];
    now = 5_001;
    expect(await policy.judgeHost("flip.test", 80)).toMatchObject({ kind: "block", rule: "private_network" });
  });

  it("asks again at once for a name that did not resolve", async () => {
    const answers: Record<string, string[]> = {};
    const policy = labPolicy("", tableResolver(answers));
    expect(await policy.judgeHost("late.test", 80)).toMatchObject({ kind: "block", rule: "dns" });
    answers["late.test"] = [PUBLIC_ADDRESS];
    expect(await policy.judgeHost("late.test", 80)).toMatchObject({ kind: "allow" });
  });

  it("takes the node's own addresses for private ones, public or not", async () => {
    const own = Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address.replace(/%.*/, "")));
    const policy = labPolicy("", async () => own);
    expect(own.length).toBeGreaterThan(0);
    for (const address of own) {
      expect(await policy.judgeHost(address.includes(":") ? `[${address}]` : address, 80)).toMatchObject({ rule: "private_network" });
    }
  });

  it("lets no network in that the operator listed when the guardrails do not say so", async () => {
    const policy = createPolicy(guardrailsOf({}), { privateNetworks: parsePrivateNetworks("127.0.0.0/8, 10.0.0.0/8"), resolve });
    expect(await policy.judgeHost("127.0.0.1", 80)).toMatchObject({ rule: "private_network" });
    expect(await policy.judgeHost("intra.test", 80)).toMatchObject({ rule: "private_network" });
  });

  it("holds the allow list and the block list for private networks too", async () => {
    const listed = labPolicy("10.0.0.0/8", resolve, { allowed_domains: ["intra.test"] });
    expect(await listed.judgeHost("intra.test", 80)).toMatchObject({ kind: "allow" });
    expect(await listed.judgeHost("10.1.2.3", 80)).toMatchObject({ rule: "allowed_domains" });
    const blocked = labPolicy("10.0.0.0/8", resolve, { blocked_domains: ["10.1.2.3"] });
    expect(await blocked.judgeHost("0xa.0x10203", 80)).toMatchObject({ rule: "blocked_domains" });
  });

  it("lets a run to Google's sign-in page only when the allow list names it", async () => {
    expect(await labPolicy("", resolve, { allowed_domains: ["*.google.com"] }).judgeHost("accounts.google.com", 443)).toMatchObject({
      rule: "chrome_background",
    });
    expect(await labPolicy("", resolve, { allowed_domains: ["accounts.google.com"] }).judgeHost("accounts.google.com", 443)).toMatchObject({
      kind: "allow",
    });
    expect(isBackgroundHost("www.google.com")).toBe(false);
  });

  it("allows nothing with an empty allow list", async () => {
    const policy = labPolicy("", resolve, { allowed_domains: [] });
    expect(await policy.judgeHost("good.test", 80)).toMatchObject({ rule: "allowed_domains" });
  });

  it("never throws, and never allows what has no canonical host, whatever the text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: ANY_CHARACTER, maxLength: 40 }), fc.integer({ min: -1, max: 70_000 }), async (host, port) => {
        const verdict = await policies.public.judgeHost(host, port);
        if (verdict.kind === "allow") expect(new URL(`http://${host}/`).hostname.replace(/\.$/, "")).toBe(verdict.host);
      }),
    );
  });

  it("never allows another host than the one a browser would go to", async () => {
    const alphabet = fc.constantFrom(
      ..."abet.:/@\\?#%[]0127xF ①。\t\u00ad-*".split(""),
      "good.test",
      "127.0.0.1",
      "localhost",
      "%2e",
      "[::1]",
      "http:",
      "file:",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(alphabet, { maxLength: 12 }), async (parts) => {
        const url = `http://${parts.join("")}`;
        const verdict = await policies.listed.judgeUrl(url);
        if (verdict.kind !== "allow") return;
        const seen = new URL(url);
        expect(`${seen.hostname.replace(/\.$/, "")}${seen.username}${seen.password}`).toBe(verdict.host);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("judgeShown", () => {
  it("says what can be said without resolving", () => {
    expect(policies.public.judgeShown("http://none.test/")).toBeNull();
    expect(policies.public.judgeShown("http://a.blocked.test/x")).toMatchObject({ rule: "blocked_domains", host: "a.blocked.test" });
    expect(policies.public.judgeShown("http://localhost/")).toMatchObject({ rule: "private_network" });
    expect(policies.public.judgeShown("file:///etc/passwd")).toMatchObject({ rule: "url_scheme" });
    expect(policies.private.judgeShown("http://localhost:8080/")).toBeNull();
  });
});

it("judges a hundred rules without looking at each", () => {
  const rules = Array.from({ length: 100 }, (_, i) => `*.host-${i}.example.test`);
  const policy = labPolicy("", resolve, { allowed_domains: [...rules, "*.ok.test"] });
  const url = "http://a.b.c.ok.test/path?query=1";
  for (let i = 0; i < 2_000; i++) policy.judgeShown(url);
  const started = performance.now();
  for (let i = 0; i < 2_000; i++) policy.judgeShown(url);
  expect((performance.now() - started) / 2_000).toBeLessThan(1); // some 10 µs on a quiet machine
});
