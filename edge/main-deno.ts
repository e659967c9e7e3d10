/** The edge on Deno. */

import { pause } from "../shared/deadline.ts";
import type { EdgeConfig } from "./config.ts";
import { type EdgeLimits, openEdge, type RunningEdge } from "./edge.ts";
import { createCollector } from "./main-collector.ts";
import { connectOnDeno, type DenoConnector } from "./main-deno-connect.ts";

/** What we use of Deno's own API; its types are not among ours. */
export type DenoRuntime = DenoConnector & {
  env: { toObject(): Record<string, string> };
  version: { deno: string };
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen(): void },
    handler: (request: Request) => Response | Promise<Response>,
  ): {
    addr: { port: number };
    finished: Promise<void>;
    shutdown(): Promise<void>;
  };
};

/** Resolves once it listens. */
export async function startOnDeno(deno: DenoRuntime, config: EdgeConfig, limits: EdgeLimits = {}): Promise<RunningEdge> {
  const edge = openEdge(config, { connect: connectOnDeno(deno), onPassed: createCollector() }, limits);
  const stop = new AbortController();
  const options = { hostname: config.host, port: config.port, signal: stop.signal, onListen() {} };
  const server = deno.serve(options, (request) => edge.app.fetch(request, {}));
  let over = false;
  void server.finished.then(() => {
    over = true;
  });
  const url = `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${server.addr.port}`;
  edge.log.info("The edge listens", { url, runtime: `deno ${deno.version.deno}` });
  return {
    url,
    async drain(limitMs) {
      await Promise.race([server.shutdown(), pause(limitMs)]);
    },
    async [Symbol.asyncDispose]() {
      if (!over) stop.abort();
      await edge[Symbol.asyncDispose]();
    },
  };
}
