/** Deep health: does a Chrome of this node load a page and run its script? Asked for, not on a timer: it costs a Chrome. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Health } from "../shared/admin.ts";
import { pause, withDeadline } from "../shared/deadline.ts";
import { toErrorDetail } from "../shared/errors.ts";
import type { Browsers } from "./browsers/browsers.ts";
import { DEFAULT_GUARDRAILS } from "./guardrails/defaults.ts";
import type { EgressListener } from "./guardrails/egress.ts";
import { createPolicy } from "./guardrails/policy.ts";
import { parsePrivateNetworks } from "./guardrails/private-networks.ts";
import type { Log } from "./telemetry/log.ts";

const LIMIT_MS = 20_000;
const KEPT_MS = 30_000;
const VIEWPORT = { width: 1280, height: 720 };
/** Stands where a run's id does while the look goes on. */
const NAME = "canary";

export type Canary = { check(options: { fresh: boolean }): Promise<Health> };
type Options = {
  nodeId: string;
  browsers: Browsers<EgressListener>;
  /** Does Chrome's traffic go through this node? */
  viaEgress: boolean;
  log: Log;
};

/** A result is kept for 30 s, and who asks during a look gets its result: asking often loads no machine. */
export function createCanary(options: Options): Canary {
  let latest: { health: Health; atMs: number } | null = null;
  let underWay: Promise<Health> | null = null;
  return {
    async check({ fresh }) {
      if (!fresh && latest && performance.now() - latest.atMs < KEPT_MS) return latest.health;
      underWay ??= look(options).finally(() => (underWay = null));
      const health = await underWay;
      latest = { health, atMs: performance.now() };
      return health;
    },
  };
}

/** Never rejects: what goes wrong is the answer. */
async function look({ nodeId, browsers, viaEgress, log }: Options): Promise<Health> {
  const began = performance.now();
  const word = crypto.randomUUID();
  const error = await withDeadline(LIMIT_MS, async (signal) => {
    await using page = viaEgress ? await servePage(word) : null;
    await using lease = await browsers.lease(NAME, { signal, viewport: VIEWPORT });
    if (page) {
      const networks = parsePrivateNetworks([`127.0.0.1/32:${page.port}`]); // this page, and nothing else of the machine
      lease.egress.attach(createPolicy({ ...DEFAULT_GUARDRAILS, allow_private_networks: true }, { privateNetworks: networks }), () => {});
    }
    await lease.page.goto(page?.url ?? `data:text/html,${encodeURIComponent(html(word))}`, { timeout: LIMIT_MS });
    while ((await lease.page.title()) !== word) await pause(20, signal);
  }).then(
    () => null,
    (cause: unknown) => {
      log.error("A page could not be loaded in a Chrome of this node", { error: cause });
      const { code, message } = toErrorDetail(cause);
      return code === "INTERNAL" ? "The page did not load; the node's log says why" : message;
    },
  );
  const duration_ms = Math.round(performance.now() - began);
  return { node_id: nodeId, healthy: error === null, checked_at: new Date().toISOString(), duration_ms, error };
}

/** Its title is the word only once its script has run. */
const html = (word: string): string =>
  `<!doctype html><title>…</title><script>document.title = "${[...word].reverse().join("")}".split("").reverse().join("")</script>`;

async function servePage(word: string): Promise<AsyncDisposable & { url: string; port: number }> {
  const server = createServer((_request, response) => response.setHeader("Content-Type", "text/html; charset=utf-8").end(html(word)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
