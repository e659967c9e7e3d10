/**
 * Pages that we did not write, out of published packages: a documentation build in frames, widgets, slides that move by the address, web
 * components, canvases. What the real viewer shows of them after an action is compared with the page as it was: every word, every place.
 */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, extname, join } from "node:path";
import type { Frame } from "puppeteer-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Action } from "../../shared/action.ts";
import { readByCli } from "../recording/cli.ts";
import { openFlow } from "../recording/flow.ts";
import { click, goto, openTempFolder, typing } from "../recording/support.ts";
import { serveViewer } from "../recording/viewer.ts";
import { openChrome } from "../support/chrome.ts";

const packageFolder = (name: string, file: string) => join(dirname(createRequire(import.meta.url).resolve(`${name}/${file}`)), "");
const FOLDERS: Record<string, string> = {
  paper: join(packageFolder("paper", "package.json")),
  "jquery-ui": join(packageFolder("jquery-ui-dist", "package.json")),
  reveal: join(import.meta.dirname, "../../node_modules/reveal.js"),
  shoelace: join(import.meta.dirname, "../../node_modules/@shoelace-style/shoelace/cdn"),
};
const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
};
const COMPONENTS = `<!doctype html><title>Components</title><link rel=stylesheet href=/shoelace/themes/light.css><script type=module src=/shoelace/shoelace-autoloader.js></script>
<h1>Components</h1><sl-button id=open variant=primary onclick="document.querySelector('sl-dialog').show()">Open it</sl-button><sl-input label="Your name"></sl-input>
<sl-select label="Size" value=l><sl-option value=s>Small</sl-option><sl-option value=l>Large</sl-option></sl-select><sl-tab-group><sl-tab slot=nav panel=a>First</sl-tab>
<sl-tab slot=nav panel=b>Second</sl-tab><sl-tab-panel name=a>Panel of the first</sl-tab-panel><sl-tab-panel name=b>Panel of the second</sl-tab-panel></sl-tab-group>
<sl-dialog label="A dialog">What it says<sl-button slot=footer variant=primary>Close</sl-button></sl-dialog>`;

let chrome: Awaited<ReturnType<typeof openChrome>>;
let server: Server;
let site: string;
beforeAll(async () => {
  chrome = await openChrome();
  server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/components") return void response.setHeader("Content-Type", "text/html").end(COMPONENTS);
    const [, name = "", ...path] = decodeURIComponent(pathname).split("/");
    const body = await readFile(join(FOLDERS[name] ?? "/nowhere", ...path)).catch(() => null);
    if (body === null) return void response.writeHead(404).end();
    response.setHeader("Content-Type", TYPES[extname(pathname)] ?? "application/octet-stream").end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await chrome?.[Symbol.asyncDispose]();
  server?.close();
});

type Facts = { words: string[]; places: [tag: string, x: number, y: number, width: number, height: number][]; painted: number };

/** Runs in the page, and in its snapshot: words in the order of the document, elements with their places, canvases that are not empty. */
function factsOf(): Facts {
  const words: string[] = [];
  const places: Facts["places"] = [];
  let painted = 0;
  const visit = (node: Node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const parent = node.parentElement ?? (node.getRootNode() as ShadowRoot).host;
      if (parent && (getComputedStyle(parent).display === "contents" || parent.checkVisibility({ visibilityProperty: true })))
        words.push(...(node.textContent ?? "").split(/\s+/).filter(Boolean));
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    const element = node as Element;
    if (/^(?:SCRIPT|STYLE|TEMPLATE|NOSCRIPT|HEAD|TITLE)$/i.test(element.tagName)) return;
    const { x, y, width, height } = element.getBoundingClientRect();
    const isPicture = element instanceof HTMLImageElement && element.src.startsWith("data:image/webp"); // of a canvas, in a snapshot
    if (isPicture && element.naturalWidth > 0) painted += 1;
    if (width > 0 && height > 0)
      places.push([isPicture ? "CANVAS" : element.tagName, ...([x, y, width, height].map(Math.round) as [number, number, number, number])]);
    if (element instanceof HTMLCanvasElement && !location.pathname.startsWith("/snapshot/")) {
      // in a snapshot the viewer has drawn a sign of its own on it
      const pixels = element.getContext("2d")?.getImageData(0, 0, element.width, element.height).data ?? [];
      if (pixels.some((value) => value !== 0)) painted += 1;
    }
    for (const child of [...(element.shadowRoot?.childNodes ?? []), ...element.childNodes]) visit(child);
  };
  visit(document.documentElement);
  return { words, places, painted };
}

const press = (key: string): Action => ({ action: "key_press", selector: null, params: { key }, timeout_ms: null });
const evaluate = (expression: string): Action => ({ action: "evaluate", selector: null, params: { expression }, timeout_ms: null });

const FLOWS: Record<string, { actions: () => Action[]; frame?: string; sees: string }> = {
  "a page of a documentation build": {
    actions: () => [goto(`${site}/paper/dist/docs/classes/Path.html`), click("a[href='#contains-point']")],
    sees: "Path Extends Item",
  },
  "a documentation build in a set of frames": {
    actions: () => [goto(`${site}/paper/dist/docs/index.html`), click("a[href='../classes/Color.html']")],
    frame: "Color.html",
    sees: "Color All properties",
  },
  "widgets, of which one opens a dialog": {
    actions: () => [goto(`${site}/jquery-ui/index.html`), click("#dialog-link")],
    sees: "Dialog Title",
  },
  "slides that move by the address": {
    actions: () => [goto(`${site}/reveal/demo.html`), press("ArrowRight"), evaluate("Reveal.configure({ transition: 'none' })")],
    sees: "Hello There",
  },
  "web components with sheets that they share, one of which opens": {
    actions: () => [goto(`${site}/components`), typing("sl-input input", "Ada"), click("text=Second"), click("#open")],
    sees: "What it says",
  },
  "canvases that a script paints": {
    actions: () => [goto(`${site}/paper/examples/Paperjs.org/RoundedRectangles.html`), click("canvas")],
    sees: "",
  },
};

it.each(Object.entries(FLOWS))("shows %s as it was", { timeout: 90_000 }, async (name, { actions, frame: part, sees }) => {
  await using temp = await openTempFolder();
  await using flow = await openFlow(chrome.browser, temp.dir);
  for (const action of actions()) await flow.act(action);
  const frameOf = (frames: Frame[]) =>
    frames.find((each) => (part === undefined ? each.parentFrame() === null : each.url().includes(part)));
  const look = () => (frameOf(flow.page.frames()) as Frame).evaluate(factsOf);
  let before = await look();
  await expect
    .poll(
      async () => {
        const last = before;
        before = await look();
        return JSON.stringify(before) === JSON.stringify(last); // nothing moves any more
      },
      { interval: 300, timeout: 10_000 },
    )
    .toBe(true);
  await flow.act(evaluate("1")); // its snapshots are of the page as it was measured
  await flow.recorder.finish();
  const zip = await readFile(join(temp.dir, "trace.zip"));
  expect((await readByCli(join(temp.dir, "trace.zip"))).errors).toContain("No errors");
  expect(flow.warnings).toEqual([]);

  await using served = await serveViewer(async () => zip);
  const viewer = await chrome.browser.newPage();
  await viewer.setViewport({ width: 1600, height: 1000 });
  await viewer.goto(served.url);
  const rows = await viewer.waitForSelector("[role=treeitem]").then(() => viewer.$$("[role=treeitem]"));
  await rows.at(-1)?.click();
  await (await viewer.waitForSelector("[role=tab]::-p-text(After)"))?.click();
  let shown: Facts | null = null;
  const wordsMissing = () => before.words.filter((word) => !shown?.words.includes(word));
  await expect
    .poll(
      async () => {
        const snapshot = viewer.frames().filter((each) => each.url().includes("/snapshot/"));
        const root = snapshot.find((each) => !each.parentFrame()?.url().includes("/snapshot/")) ?? null;
        const frame = part === undefined ? root : (snapshot.filter((each) => each !== root && each.parentFrame() !== null).at(-1) ?? null);
        shown = (await frame?.evaluate(factsOf).catch(() => null)) ?? null;
        return shown === null
          ? ["nothing"]
          : [...wordsMissing(), ...(shown.painted === before.painted ? [] : [`canvases ${shown.painted} of ${before.painted}`])];
      },
      { timeout: 20_000, message: `${name}: words that the snapshot lacks` },
    )
    .toEqual([]);
  if (process.env.KEEP_PICTURES) await viewer.screenshot({ path: join(process.env.KEEP_PICTURES, `${name.replaceAll(/\W+/g, "-")}.png`) });
  const { places, words } = shown as unknown as Facts;
  expect(words.join(" ")).toContain(sees);
  expect(words).toEqual(before.words);
  const moved = before.places.filter(([tag, x, y, width, height], i) => {
    const [otherTag, ...rest] = places[i] ?? ["", 0, 0, 0, 0];
    return tag !== otherTag || rest.some((value, j) => Math.abs(value - ([x, y, width, height][j] as number)) > 2);
  });
  const shownAs = moved.slice(0, 5).map((place) => [place, places[before.places.indexOf(place)]]);
  expect([places.length, shownAs]).toEqual([before.places.length, []]);
  await viewer.close();
});
