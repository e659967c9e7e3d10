/** The least of a node that an edge needs, made to be fast: what is measured is what stands in front of it. A process of its own. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export const BENCH_RUN = "0f8fad5b-d9cb-469f-a165-70867728950e";
export const TRACE_BYTES = 512 * 1024 * 1024;
const PIECE = Buffer.alloc(64 * 1024, "trace"); // as large as the pieces that a node streams a file in
const PIECES = TRACE_BYTES / PIECE.byteLength;

const run = JSON.stringify({
  run_id: BENCH_RUN,
  status: "running",
  attempt: 1,
  directive: "cancel order 12345",
  labels: { team: "support" },
  actions: Array.from({ length: 4 }, (_, i) => ({
    seq: i + 1,
    tool: "browser",
    action: "click",
    summary: "click the button",
    url: "http://example.test/orders",
    success: true,
  })),
});

function serve(): void {
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (path === `/live/runs/${BENCH_RUN}`) return void answer(run);
    if (path === `/live/runs/${BENCH_RUN}/recording/trace`) return trace();
    if (path.endsWith("/location"))
      return void answer(JSON.stringify({ run_id: BENCH_RUN, state: "live", node_id: "bench", node_url: url() }));
    if (path === "/node") return void answer(JSON.stringify(info()));
    if (path === "/nodes") return void answer(JSON.stringify({ nodes: [{ ...info(), last_seen_at: new Date().toISOString() }] }));
    response.writeHead(404).end();

    function answer(text: string): void {
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
      response.end(text);
    }
    function trace(): void {
      response.writeHead(200, { "content-type": "application/zip" });
      let left = PIECES;
      const more = () => {
        while (left > 0) {
          left--;
          if (!response.write(PIECE)) return void response.once("drain", more);
        }
        response.end();
      };
      more();
    }
  });
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const info = () => ({
    node_id: "bench",
    boot_id: "bench",
    url: url(),
    state: "ready",
    slots: { total: 1, busy: 0 },
    queued: 0,
    browsers: { warm: 1, busy: 0 },
    load: 0,
    tier: "sandbox",
    version: "bench",
    started_at: new Date(0).toISOString(),
  });
  server.listen(0, "127.0.0.1", () => console.log(url()));
}

if (import.meta.main) serve();
