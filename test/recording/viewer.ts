/** The trace viewer itself: the files that Playwright ships, over HTTP, beside the zip it is to show. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, extname, join } from "node:path";
import type { Frame, Page } from "puppeteer-core";
import { expect } from "vitest";

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

/** Selects the action whose row holds `row`, on one of the tabs Action, Before and After. */
export async function selectAction(viewer: Page, row: string, tab: "Action" | "Before" | "After" = "Action"): Promise<void> {
  const found = await viewer.waitForSelector(`[role=treeitem] [role=treeitem] ::-p-text(${row}), [role=treeitem] ::-p-text(${row})`);
  await found?.click();
  await (await viewer.waitForSelector(`[role=tab]::-p-text(${tab})`))?.click();
}

/** The frame in which the snapshot of the selected action stands, once it shows `text`. */
export async function snapshotShown(viewer: Page, text: string): Promise<Frame> {
  const textOf = (frame: Frame) => frame.evaluate(() => document.body?.textContent ?? "").catch(() => ""); // it is being replaced
  let shown: Frame | undefined;
  await expect
    .poll(
      async () => {
        for (const frame of viewer.frames()) {
          if (frame.url().includes("/snapshot/") && (await textOf(frame)).includes(text)) shown = frame;
        }
        return shown !== undefined;
      },
      { timeout: 15_000, message: `No snapshot shows "${text}"` },
    )
    .toBe(true);
  return shown as Frame;
}
