/** The trace viewer itself: the files that Playwright ships, over HTTP, beside the zip it is to show. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, extname, join } from "node:path";

const FILES = join(dirname(createRequire(import.meta.url).resolve("playwright-core/package.json")), "lib", "vite", "traceViewer");
const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

/** Serves the viewer and `/trace.zip`, which is asked for anew each time. Dispose it. */
export async function serveViewer(zip: () => Promise<Uint8Array>): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    try {
      const body = pathname === "/trace.zip" ? await zip() : await readFile(join(FILES, pathname));
      response.setHeader("Content-Type", TYPES[extname(pathname)] ?? "application/octet-stream");
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}/index.html?trace=${origin}/trace.zip`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
