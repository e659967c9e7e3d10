/** The edge on Deno. */

import { pause } from "../shared/deadline.ts";
import { cannotListen } from "../shared/listen.ts";
import type { EdgeConfig } from "./config.ts";
import { openEdge, openEdgeTracing, type RunningEdge, type StartOptions, urlOf } from "./edge.ts";
import { createCollector } from "./main-deno-collector.ts";
import { connectOnDeno, type DenoConnector } from "./main-deno-connect.ts";

/** What we use of Deno's own API; its types are not among ours. */
export type DenoRuntime = DenoConnector & {
  env: { toObject(): Record<string, string> };
  version: { deno: string };
  listen(options: { hostname: string; port: number }): { close(): void };
  serve(
    options: { hostname: string; port: number; reusePort: boolean; signal: AbortSignal; onListen(): void },
    handler: (request: Request) => Response | Promise<Response>,
  ): {
    addr: { port: number };
    finished: Promise<void>;
    shutdown(): Promise<void>;
  };
};

/** Resolves once it listens. */
export async function startOnDeno(
  deno: DenoRuntime,
  config: EdgeConfig,
  { limits, peers, share }: StartOptions = {},
): Promise<RunningEdge> {
  const tracing = await openEdgeTracing(config);
  const edge = openEdge(config, { connect: connectOnDeno(deno), onPassed: createCollector(), peers, tracing }, limits);
  const stop = new AbortController();
  const address = { hostname: config.host, port: config.port };
  const options = { ...address, reusePort: share !== undefined, signal: stop.signal, onListen() {} };
  const listen = () => {
    try {
      if (share === "first" && config.port !== 0) deno.listen(address).close(); // taken by nobody, not even by another edge
      return deno.serve(options, (request) => edge.app.fetch(request, {}));
    } catch (cause) {
      throw cannotListen("EDGE", config, cause);
    }
  };
  const server = listen();
  let over = false;
  void server.finished.then(() => {
    over = true;
  });
  const { port } = server.addr;
  return {
    url: urlOf(config.host, port),
    port,
    async drain(limitMs) {
      await Promise.race([server.shutdown(), pause(limitMs)]);
    },
    async [Symbol.asyncDispose]() {
      if (!over) stop.abort();
      await edge[Symbol.asyncDispose]();
    },
  };
}
