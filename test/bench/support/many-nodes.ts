/** Answers an edge for so many nodes, each at an address of its own of the loopback network: a process of its own, so that the edge's part can be told. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { NodeInfo } from "../../../shared/node.ts";

const count = Number(process.argv[2]);
const hostOf = (nth: number) => `127.0.${1 + Math.floor(nth / 200)}.${1 + (nth % 200)}`;

const infoOf = (host: string, port: number): NodeInfo => ({
  ...{ node_id: `node-${host.replaceAll(".", "-")}`, boot_id: crypto.randomUUID(), url: `http://${host}:${port}`, state: "ready" },
  ...{ slots: { total: 2, busy: 0 }, queued: 0, browsers: { warm: 1, busy: 0 }, load: 0.5, tier: "sandbox" },
  ...{ version: "0.1.0", started_at: "2026-01-01T00:00:00.000Z" },
});

const server = createServer((request, response) => {
  const { port } = server.address() as AddressInfo;
  const host = request.headers.host?.split(":")[0] ?? "";
  const members = () => Array.from({ length: count }, (_, i) => ({ ...infoOf(hostOf(i), port), last_seen_at: new Date().toISOString() }));
  response
    .setHeader("content-type", "application/json")
    .end(JSON.stringify(request.url === "/nodes" ? { nodes: members() } : infoOf(host, port)));
});
server.listen(0, "0.0.0.0", () => console.log(`http://${hostOf(0)}:${(server.address() as AddressInfo).port}`));
