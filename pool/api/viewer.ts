/** `GET /viewer`: the static files of the Playwright Trace Viewer, for edges, which have no file system. */
import { readdir, readFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import playwright from "playwright-core/package.json" with { type: "json" };
import type { Viewer } from "../../shared/viewer.ts";

const FOLDER = join(dirname(fileURLToPath(import.meta.resolve("playwright-core/package.json"))), "lib/vite/traceViewer");
/** The folder has Playwright's UI mode too, with a terminal; no trace needs it. */
const UI_MODE = /^(uiMode|assets\/xtermModule|xtermModule)\b/;
const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".ttf": "font/ttf",
  ".webmanifest": "application/manifest+json",
};

export function viewerRoutes(): Hono {
  return new Hono().get("/", async (c) => c.json(await readViewer()));
}

/** Read anew for each edge that asks: they keep it. */
async function readViewer(): Promise<Viewer> {
  const entries = await readdir(FOLDER, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const names = paths.map((path) => path.slice(FOLDER.length + 1).replaceAll("\\", "/")).filter((name) => !UI_MODE.test(name));
  const files = names.toSorted().map(async (name) => ({
    name,
    type: TYPES[extname(name)] ?? "application/octet-stream",
    base64: await readFile(join(FOLDER, name), "base64"),
  }));
  return { version: playwright.version, files: await Promise.all(files) };
}
