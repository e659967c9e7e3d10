/** The edge on Deno. */

import type { EdgeConfig } from "./config.ts";
import { type EdgeLimits, openEdge } from "./edge.ts";
import { createCollector } from "./main-collector.ts";
import { connectOnDeno, type DenoConnector } from "./main-deno-connect.ts";

/** What we use of Deno's own API; its types are not among ours. */
export type DenoRuntime = DenoConnector & {
  env: { toObject(): Record<string, string> };
  version: { deno: string };
  serve(
    options: { hostname: string; port: number; onListen(): void },
    handler: (request: Request) => Response | Promise<Response>,
  ): {
    addr: { port: number };
    shutdown(): Promise<void>;
  };
};

export async function startOnDeno(
  deno: DenoRuntime,
  config: EdgeConfig,
  limits: EdgeLimits = {},
): Promise<AsyncDisposable & { url: string }> {
  const edge = openEdge(config, { connect: connectOnDeno(deno), onPassed: createCollector() }, limits);
  const server = deno.serve({ hostname: config.host, port: config.port, onListen() {} }, (request) => edge.app.fetch(request, {}));
  const url = `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${server.addr.port}`;
  edge.log.info("The edge listens", { url, runtime: `deno ${deno.version.deno}` });
  return {
    url,
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      await server.shutdown();
    },
  };
}
