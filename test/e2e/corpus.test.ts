/** Several hundred inputs against the running system: none gets where it may not, none that may is kept from it. The whole of them, in every way, and the page of all vectors: test/soak; that page on one Chrome: test/guardrails/chrome.test.ts. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { DryRun } from "../../shared/run.ts";
import { WAYS } from "../guardrails/corpus-page.ts";
import { LISTED_RULES, openCorpusSystem, REFUSED } from "../guardrails/corpus-system.ts";

let corpus: Awaited<ReturnType<typeof openCorpusSystem>>;
beforeAll(async () => {
  corpus = await openCorpusSystem();
});
afterAll(() => corpus?.[Symbol.asyncDispose]());
afterEach(() => {
  expect(corpus.victims.flatMap(({ hits }) => hits)).toEqual([]);
});
const everyNth = <T>(list: readonly T[], n: number) => list.filter((_, i) => i % n === 0);

describe("the corpus, against the running system", () => {
  it("reaches every host that it may, and no other, from a page", async () => {
    const { fromPage, friend, urls } = corpus;
    expect([urls.refused.length > 150, urls.benign.length > 50]).toEqual([true, true]);
    friend.hits.length = 0;
    const { run, events } = await fromPage([...urls.refused, ...urls.benign], ["redirect"]);
    expect([run.error, run.extracted_texts]).toEqual([null, [String(urls.refused.length + urls.benign.length)]]);
    const hosts = new Set(urls.benign.map((url) => new URL(url).host.replace(/\.(?=:)/, "")));
    const met = new Set(friend.hits.map((hit) => (hit.split(" ")[1] as string).replace(/\.(?=:)/, "")));
    expect([...hosts].filter((host) => !met.has(host))).toEqual([]);
    const blocked = events.flatMap(({ event }) => (event.type === "guardrail" && event.kind === "block" ? [event.host ?? ""] : []));
    expect(blocked.length).toBeGreaterThan(50);
    expect(blocked.filter((host) => hosts.has(`${host}:${corpus.port}`))).toEqual([]);

    friend.hits.length = 0;
    const some = await fromPage([...everyNth(urls.refused, 25), ...everyNth(urls.benign, 12)], WAYS);
    expect(some.run.error).toBeNull();
    expect(friend.hits.length).toBeGreaterThan(10);
  });

  it("is refused one by one, each by its rule, when an agent asks for it", async () => {
    for (const [rows, guardrails] of [
      [REFUSED.public, { blocked_domains: ["blocked.test", "*.blocked.test"] }],
      [REFUSED.listed, LISTED_RULES],
    ] as const) {
      const { run, events } = await corpus.byGoto(
        rows.map(({ url }) => url),
        guardrails,
      );
      expect(run.error?.message).toContain("All were tried");
      const verdicts = events.flatMap(({ event }) => (event.type === "guardrail" && event.kind === "block" ? [event] : []));
      const gotos = run.actions.filter(({ action }) => action === "goto");
      const got = gotos.map(({ seq }, i) => [rows[i]?.url, verdicts.find(({ action_seq }) => action_seq === seq)?.rule]);
      expect(got).toEqual(rows.map(({ url, rule }) => [url, rule]));
    }
  });

  it("is warned of before, by a dry run that shows the merged guardrails in full", async () => {
    const steps = ["https://chase.com/", "https://operator.test/", "http://127.0.0.2/", "https://{host}/", "https://other.test/"].map(
      (url) => ({ action: "goto", params: { url } }),
    );
    const playbook = { id: "away", parameters: [{ name: "host", type: "string" }], guardrails: { blocked_domains: ["@default"] }, steps };
    const { warnings, guardrails } = await corpus.system.as.writer.json<DryRun>("/runs?dry_run=true", {
      method: "POST",
      body: JSON.stringify({ playbook, params: { host: "x.test" }, start_url: "http://localhost/" }),
    });
    expect(warnings.filter((each) => each.includes("would be refused")).map((each) => each.split(":")[0])).toEqual([
      "start_url would be refused (private_network)",
      "steps[0] would be refused (blocked_domains)",
      "steps[1] would be refused (blocked_domains)",
      "steps[2] would be refused (private_network)",
    ]);
    expect(guardrails.blocked_domains).toEqual(expect.arrayContaining(["operator.test", "chase.com", "*.gov"]));
  });
});
