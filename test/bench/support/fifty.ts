/** A page of 50 subresources, over HTTP/1.1 and over h2. A process of its own, so that serving it costs the measured one nothing. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const COUNTS = { js: 20, css: 10, svg: 20 };
const BODIES: Record<string, { type: string; body: Buffer }> = {
  js: { type: "text/javascript", body: Buffer.from(`window.loaded = (window.loaded ?? 0) + 1; //${"j".repeat(12_000)}`) },
  css: { type: "text/css", body: Buffer.from(`.a { color: red } /*${"c".repeat(8_000)}*/`) },
  svg: {
    type: "image/svg+xml",
    body: Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><!--${"s".repeat(20_000)}--></svg>`),
  },
};
const tags = (count: number, tag: (i: number) => string) => Array.from({ length: count }, (_, i) => tag(i)).join("");
const PAGE = Buffer.from(
  `<!doctype html><title>Fifty</title><link rel="icon" href="data:,">${tags(COUNTS.css, (i) => `<link rel="stylesheet" href="/${i}.css">`)}
  ${tags(COUNTS.js, (i) => `<script src="/${i}.js" defer></script>`)}${tags(COUNTS.svg, (i) => `<img src="/${i}.svg">`)}`,
);

type Answer = { writeHead(status: number, headers: Record<string, string | number>): unknown; end(body: Buffer): unknown };
function answer(path: string, response: Answer): void {
  const { type, body } = BODIES[path.split(".")[1] ?? ""] ?? { type: "text/html", body: PAGE };
  response.writeHead(200, { "content-type": type, "content-length": body.length, "cache-control": "no-store" });
  response.end(body);
}

function certificate(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), "us-bench-cert-"));
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const made = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=localhost",
    ];
    execFileSync("openssl", [...made, "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function serve(): Promise<void> {
  const plain = createServer((request, response) => answer(request.url ?? "/", response));
  plain.keepAliveTimeout = 60_000;
  const secure = createSecureServer(certificate(), (request, response) => answer(request.url, response));
  const ports = await Promise.all(
    [plain, secure as unknown as Server].map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return (server.address() as AddressInfo).port;
    }),
  );
  console.log(`http://localhost:${ports[0]}/ https://localhost:${ports[1]}/`);
}

if (import.meta.main) await serve();
