/** The corpus against the running system: an edge, a node with a resolver of ours, real Chrome, servers that must be reached and servers that must not. */
import { fileURLToPath } from "node:url";
import { call, inTurn, openLlmServer, type ToolReply } from "../support/llm-server.ts";
import { freePort, openTestSystem } from "../support/system.ts";
import { ANSWERS, CORPUS, type CorpusRow, LISTED } from "./corpus.ts";
import { answerCorpus, type Way } from "./corpus-page.ts";
import { openSite } from "./lab.ts";

export const FRIEND = "127.0.0.3";
const VICTIM = "127.0.0.2";
const DNS_TABLE = fileURLToPath(new URL("../support/dns-table.ts", import.meta.url));
/** Names that no rule must let lead anywhere, should it ask for them. */
const RESERVED =
  "localhost.localdomain metadata.google.internal host.docker.internal printer.local router.lan intranet kubernetes x.home.arpa 1.0.0.127.in-addr.arpa wiki.corp x.onion db.private";

const rows = (rule: (rule: string) => boolean, guardrails: CorpusRow["guardrails"]) =>
  CORPUS.filter((row) => row.guardrails === guardrails && rule(row.rule)).flatMap(
    ({ urls, rule }) => urls.flatMap((url) => (url === "" ? [] : [{ url, rule }])), // an empty one is no call of the tool
  );
export const REFUSED = { public: rows((rule) => rule !== "allow", "public"), listed: rows((rule) => rule !== "allow", "listed") };

/** The same URLs at a port; what has one, or no host, stays away. */
const atPort = (urls: readonly string[], port: number) =>
  urls
    .map((url) => url.replace(/^(http:\/\/(?:\[[^\]]*\]|[^/:?#@\\]+))(?=[/?#]|$)/, `$1:${port}`))
    .filter((url) => url.includes(`:${port}`));
const isName = (url: string) => URL.canParse(url) && /[a-z]/i.test(new URL(url).hostname) && !new URL(url).hostname.startsWith("[");

export async function openCorpusSystem() {
  await using opened = new AsyncDisposableStack();
  const port = await freePort(); // one port for all: only the address tells friend from victim
  const home = opened.use(await openSite(answerCorpus));
  const friend = opened.use(await openSite(answerCorpus, FRIEND, port));
  const victims = [];
  for (const address of [VICTIM, "127.0.0.1", "::1"]) victims.push(opened.use(await openSite(answerCorpus, address, port)));
  const model = opened.use(await openLlmServer());
  const reserved = Object.fromEntries(RESERVED.split(" ").map((name) => [name, [VICTIM]]));
  const system = opened.use(
    await openTestSystem({
      env: {
        NODE_OPTIONS: `--import ${DNS_TABLE}`,
        TEST_DNS: JSON.stringify({
          ...ANSWERS,
          "victim.test": [VICTIM],
          "dual.test": [FRIEND],
          "both.test": [FRIEND, VICTIM],
          ...reserved,
          "*": [FRIEND],
        }),
        POOL_GUARDRAILS: '{"blocked_domains": ["operator.test"]}',
        POOL_PRIVATE_NETWORKS: `127.0.0.1/32:${home.port}, ${FRIEND}/32:${port}`,
        ...{ LLM_MODEL: "openai-compatible:scripted", LLM_BASE_URL: model.url, LLM_API_KEY: "sk-corpus" },
      },
    }),
  );
  const kept = opened.move();
  const { writer } = system.as;
  const homeUrl = `http://localhost:${home.port}`;
  const urls = {
    refused: atPort(
      REFUSED.public.map(({ url }) => url),
      port,
    ),
    benign: atPort(
      CORPUS.filter(({ rule, guardrails }) => rule === "allow" && guardrails !== "private").flatMap((row) => row.urls.filter(isName)),
      port,
    ),
  };

  const finish = async (body: object) => await writer.finished((await writer.create(body)).run_id);

  return {
    ...{ system, home, friend, victims, port, urls },
    /** One page tries all of them, in these ways. Returns how many tries there were. */
    async fromPage(tried: readonly string[], ways: readonly Way[]) {
      const expression = `tryAll(${JSON.stringify(tried)}, ${JSON.stringify(ways)})`;
      return await finish({
        playbook: {
          id: "corpus",
          guardrails: { allow_private_networks: true, blocked_domains: ["blocked.test", "*.blocked.test"] },
          steps: [
            { action: "goto", params: { url: `${homeUrl}/corpus` } },
            { action: "evaluate", params: { expression }, timeout_ms: 100_000 },
          ],
        },
        recording: { enabled: false },
      });
    },
    /** The page of all vectors, against one origin. */
    async fromVectors(targets: readonly string[]) {
      const steps = targets.flatMap((target) => [
        { action: "goto", params: { url: `${homeUrl}/vectors?target=${encodeURIComponent(target)}` } },
        {
          action: "evaluate",
          params: { expression: "window.done" },
          timeout_ms: 30_000,
        },
      ]);
      const guardrails = { allow_private_networks: true, blocked_domains: ["blocked.test"] };
      return await finish({ playbook: { id: "vectors", guardrails, steps }, recording: { enabled: false } });
    },
    /** Each as a `goto` of an agent; every twentieth call succeeds, so that the run is not ended for its failures. */
    async byGoto(tried: readonly string[], guardrails: object) {
      const calls = tried.flatMap((url, i): ToolReply[] => [
        ...(i % 20 === 0 ? [{ name: "scroll", args: {} }] : []),
        { name: "goto", args: { url } },
      ]);
      model.requests.length = 0;
      model.script = inTurn({ calls }, call("give_up", { reason: "All were tried" }));
      const patient = { max_consecutive_errors: 50, stuck_failure_cluster_window: 50, stuck_failure_cluster_threshold: 50 };
      return await finish({
        directive: "Press everything that there is to press",
        guardrails: { ...patient, stuck_applies_to: "improvised", ...guardrails },
        recording: { enabled: false },
      });
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
export const LISTED_RULES = { allowed_domains: LISTED };
