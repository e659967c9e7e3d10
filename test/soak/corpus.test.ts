/** Every input of the corpus in every way that a page has, against the running system. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { WAYS } from "../guardrails/corpus-page.ts";
import { openCorpusSystem } from "../guardrails/corpus-system.ts";
import { MUST_REACH } from "../guardrails/vectors.ts";

const PER_RUN = 40;

let corpus: Awaited<ReturnType<typeof openCorpusSystem>>;
beforeAll(async () => {
  corpus = await openCorpusSystem();
});
afterAll(() => corpus?.[Symbol.asyncDispose]());

const slices = <T>(list: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(list.length / PER_RUN) }, (_, i) => list.slice(i * PER_RUN, (i + 1) * PER_RUN));
const escapes = () => corpus.victims.flatMap(({ hits }) => hits);

it("reaches no address that it may not, in any way", async () => {
  corpus.friend.hits.length = 0;
  for (const urls of slices(corpus.urls.refused)) {
    const { run } = await corpus.fromPage(urls, WAYS);
    expect([run.error, escapes()]).toEqual([null, []]);
  }
  const hosts = corpus.friend.hits.map((hit) => hit.split(" ")[1]);
  expect(hosts.filter((host) => host !== `good.test:${corpus.port}`)).toEqual([]); // Chrome makes some of them addresses of a host that may be reached
});

it("reaches every host that it may, in every way but those that a page is told nothing of", async () => {
  for (const urls of slices(corpus.urls.benign)) {
    for (const way of WAYS) {
      corpus.friend.hits.length = 0;
      const { run, events } = await corpus.fromPage(urls, [way]);
      expect(run.error).toBeNull();
      expect(events.flatMap(({ event }) => (event.type === "guardrail" ? [event.host] : []))).toEqual([]);
      const met = new Set(corpus.friend.hits.map((hit) => hit.split(" ")[1]));
      const hosts = new Set(urls.map((url) => new URL(url).host));
      if (way !== "websocket" && way !== "beacon") expect([way, [...hosts].filter((host) => !met.has(host))]).toEqual([way, []]);
    }
  }
});

it("stops the page of all vectors, whatever a private target is called, or where its host is blocked; and nothing of it to another", async () => {
  corpus.friend.hits.length = 0;
  const named = await corpus.fromVectors(["victim", "blocked"].map((name) => `http://${name}.test:${corpus.port}`));
  expect([named.run.error, escapes()]).toEqual([null, []]);
  expect(corpus.friend.hits.filter((hit) => !hit.includes(" good.test:"))).toEqual([]); // what the last form before was sent to may come late
  const targets = corpus.urls.refused.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin);
  for (const some of slices([...new Set(targets)].filter((_, i) => i % 5 === 0)).flatMap((each) => [each.slice(0, 20), each.slice(20)])) {
    if (some.length === 0) continue;
    const { run } = await corpus.fromVectors(some);
    expect([run.error, escapes()]).toEqual([null, []]);
  }
  corpus.friend.hits.length = 0;
  await corpus.fromVectors([`http://friend.test:${corpus.port}`]);
  const reached = new Set(corpus.friend.hits.map((hit) => (hit.split(" ")[2] ?? "").slice(1)));
  expect(MUST_REACH.filter((vector) => vector !== "popup" && !reached.has(vector))).toEqual([]);
});
