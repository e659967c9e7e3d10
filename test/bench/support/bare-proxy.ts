/**
 * The least that a proxy of small reads can be on Node and on Deno, by their own servers and clients: no keys, no checks, no other node.
 * A process of its own.
 */
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

const target = new URL(process.env.TARGET ?? "");
const listening = (port: number) => console.log(JSON.stringify({ url: `http://127.0.0.1:${port}`, runtime: "bare" }));

type DenoServer = (
  options: { hostname: string; port: number; onListen(at: { port: number }): void },
  answer: (request: Request) => Promise<Response>,
) => void;
const deno = (globalThis as { Deno?: { serve: DenoServer } }).Deno;

if (deno) {
  deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => listening(port) }, async ({ url }) => {
    const { status, body, headers } = await fetch(new URL(new URL(url).pathname, target));
    const length = headers.get("content-length") ?? "";
    return new Response(body, { status, headers: { "content-type": "application/json", "content-length": length } });
  });
} else {
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => {
    request(new URL(incoming.url ?? "", target), { agent }, (answer) => {
      const { statusCode = 502, headers } = answer;
      outgoing.writeHead(statusCode, { "content-type": "application/json", "content-length": headers["content-length"] ?? 0 });
      answer.pipe(outgoing);
    }).end();
  });
  server.listen(0, "127.0.0.1", () => listening((server.address() as AddressInfo).port));
}
