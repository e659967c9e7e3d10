/** Recordings of real pages, and how the real viewer shows them. */
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Frame, Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { takeScreenshot } from "../../pool/actions/screenshot.ts";
import { FIELD_VALUES } from "../../pool/recording/field-values.ts";
import { AGENT_SOURCE } from "../../pool/recording/in-page/source.ts";
import { openChrome } from "../support/chrome.ts";
import { readByCli } from "./cli.ts";
import { click, collect, goto, jpeg, openTempFolder, record, startRecorder, typing } from "./support.ts";
import { selectAction, serveViewer, snapshotShown } from "./viewer.ts";
import { loadTrace } from "./viewer-model.ts";

const PAGE = `<!doctype html><title>Orders</title><style>body { font: 20px sans-serif; background: #eef }</style>
<h1>Orders</h1><button style="position: absolute; left: 60px; top: 90px; width: 200px; height: 40px">Cancel order</button>`;

let chrome: Awaited<ReturnType<typeof openChrome>>;
let site: { url: string; close(): Promise<void> };

beforeAll(async () => {
  chrome = await openChrome();
  const server = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(PAGE));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  site = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close };
});
afterAll(async () => {
  await chrome?.[Symbol.asyncDispose]();
  await site?.close();
});

async function openPage(): Promise<Page & AsyncDisposable> {
  const page = await chrome.browser.newPage();
  await page.setViewport({ width: 1280, height: 720 });
  return page as Page & AsyncDisposable;
}

/** Two steps, three actions, one of them failed. */
async function recordFlow(dir: string, page: Page) {
  const { recorder, warnings } = await startRecorder(dir, { takePicture: takeScreenshot });
  await recorder.attach(page);
  const open = recorder.step(0, "Open the orders");
  await page.goto(site.url);
  await record(recorder, 1, goto(site.url), { page });
  open.end();
  const cancel = recorder.step(1, "Cancel one");
  const pressing = recorder.action({ seq: 2, action: click("role=button[name='Cancel order']"), title: "Cancel one", page });
  const box = { x: 60, y: 90, width: 200, height: 40 };
  const { _id: frameId } = page.mainFrame() as Frame & { _id: string };
  await pressing.observer.input({ page, point: { x: 160, y: 110 }, box, at: { frameId, x: 160, y: 110, box } });
  await page.evaluate("document.querySelector('button').textContent = 'Cancelled'; console.warn('cancelled', {order: 7})");
  await pressing.screenshot(page, "click");
  pressing.end({ error: null, resultText: null });
  await record(recorder, 3, typing("pierce/#reason", "never mind", "Enter"), { page, error: "Nothing matches pierce/#reason" });
  cancel.end();
  return { recorder, warnings };
}

describe("the real viewer", () => {
  it("shows a running trace and the finished one: steps, actions, errors, film strip, console, the page with the click's point", async () => {
    await using temp = await openTempFolder();
    await using page = await openPage();
    const { recorder, warnings } = await recordFlow(temp.dir, page);
    for (const finished of [false, true]) {
      if (finished) await recorder.finish();
      await using served = await serveViewer(() => collect(recorder.zip()));
      await using viewer = await openPage();
      const errors: unknown[] = [];
      viewer.on("pageerror", (error) => errors.push(error));
      await viewer.goto(served.url);
      await viewer.waitForSelector("::-p-text(Step 2: Cancel one)");
      const tree = await viewer.$$eval("[role=treeitem]", (items) => items.map((item) => (item.textContent ?? "").replace(/\s+/g, " ")));
      expect(tree.some((row) => /^Step 1: Open the orders/.test(row))).toBe(true);
      const rows = tree.filter((row) => !row.startsWith("Step"));
      expect(rows.some((row) => /^Click.*locator\('role=button\[name=\\'Cancel order\\']'\)/.test(row))).toBe(true);
      expect(rows.some((row) => /^Fill "\[redacted\]"/.test(row))).toBe(true);
      await viewer.waitForSelector(".film-strip-frame"); // drawn once the pictures are there
      await selectAction(viewer, "Click");
      const shown = await snapshotShown(viewer, "Cancel order");
      expect(
        await shown.$eval("button", (button) => [
          getComputedStyle(document.body).backgroundColor,
          button.hasAttribute("__playwright_target__"),
        ]),
      ).toEqual(["rgb(238, 238, 255)", true]);
      for (const [tab, text] of [
        ["Errors", "Nothing matches pierce/#reason"],
        ["Console", "cancelled"],
        ["Metadata", "Chrome/156.0.8078.79"],
      ]) {
        await (await viewer.$(`[role=tab]::-p-text(${tab})`))?.click();
        await viewer.waitForSelector(`::-p-text(${text})`);
      }
      expect(errors).toEqual([]);
    }
    expect(warnings).toEqual([]);
  });

  it("has a command line that accepts the trace", async () => {
    await using temp = await openTempFolder();
    await using page = await openPage();
    const { recorder } = await recordFlow(temp.dir, page);
    await recorder.finish();
    const { opened, actions, errors, console: messages, requests } = await readByCli(join(temp.dir, "trace.zip"));
    expect(opened).toMatch(/Title: +Cancel order 12345[\s\S]*Actions: +5\n[\s\S]*Errors: +1\n/);
    expect(actions).toMatch(/Step 1: Open the orders[\s\S]*Navigate[\s\S]*Step 2: Cancel one[\s\S]*Click[\s\S]*Fill/);
    expect(errors).toContain("Nothing matches pierce/#reason");
    expect(messages).toContain("cancelled");
    expect(requests).toContain("GET      200      127.0.0.1");
  });
});

describe("a recorded page", () => {
  it("has its console and its uncaught errors in the trace, those of a popup too", async () => {
    await using temp = await openTempFolder();
    await using page = await openPage();
    const { recorder, warnings } = await startRecorder(temp.dir, { options: { enabled: true, trace: true, screenshots: false } });
    page.on("popup", (popup) => popup && recorder.attach(popup));
    await recorder.attach(page);
    await page.goto(site.url);
    await page.evaluate("console.log('one', 2, {three: 3}, [4]); console.error('bad'); setTimeout(() => { throw new TypeError('oops') })");
    await page.evaluate("fetch('/x').then(() => window.open('/popup'))");
    const popup = await chrome.browser.waitForTarget((target) => target.url().endsWith("/popup"));
    const opened = await popup.page();
    await expect
      .poll(async () => {
        await opened?.evaluate("console.info('hello from the popup')");
        return (await loadTrace(await collect(recorder.zip()))).events.map(({ text }) => text);
      })
      .toContain("hello from the popup");
    await opened?.close();
    await recorder.finish();
    const { events, pages } = await loadTrace(await readFile(join(temp.dir, "trace.zip")));
    const messages = events.filter(({ type }) => type === "console");
    expect(messages.map(({ text }) => text)).toEqual(expect.arrayContaining(["one 2 {three: 3} [4]", "bad"]));
    expect(events.find(({ method }) => method === "pageError")?.params).toMatchObject({
      error: { error: { name: "TypeError", message: "oops" } },
    });
    expect(events.filter(({ method }) => method === "pageClosed")).toHaveLength(1);
    expect(pages.length).toBeLessThanOrEqual(2);
    expect(warnings).toEqual([]);
  });

  it("is not listened to any more once it floods the console", async () => {
    await using temp = await openTempFolder();
    await using page = await openPage();
    const { recorder, warnings } = await startRecorder(temp.dir, { limits: { consoleMessages: 50 } });
    await recorder.attach(page);
    await page.goto(site.url);
    await page.evaluate("for (let n = 0; n < 1000; n++) console.log('x'.repeat(100), {n})");
    await expect
      .poll(async () => (await loadTrace(await collect(recorder.zip()))).stdio.map(({ text }) => text))
      .toContainEqual(expect.stringContaining("50 console messages"));
    await recorder.finish();
    const { events } = await loadTrace(await readFile(join(temp.dir, "trace.zip")));
    expect(events.filter(({ type }) => type === "console")).toHaveLength(50);
    expect(warnings).toEqual([]);
  });

  it("is filmed while nothing is done, and no more once the run has a secret: from then on its covered pictures are shown", async () => {
    await using temp = await openTempFolder();
    await using page = await openPage();
    let secret = false;
    const takePicture = async () => jpeg("covered");
    const { recorder, warnings } = await startRecorder(temp.dir, { takePicture, hasSecrets: () => secret });
    await recorder.attach(page);
    await page.goto(site.url);
    await page.evaluate("setInterval(() => { document.querySelector('h1').textContent = performance.now() })");
    await record(recorder, 1, click("#a"), { page });
    const film = async () =>
      (await readFile(join(temp.dir, "trace", "trace.trace"), "utf8")).match(/"screencast-frame","pageId":"page@1","sha1":"\w+/g) ?? [];
    await expect.poll(async () => (await film()).length).toBeGreaterThan(2);
    secret = true;
    const before = new Set(await film());
    await record(recorder, 2, click("#a"), { page });
    await record(recorder, 3, click("#a"), { page });
    await recorder.finish();
    const after = (await film()).filter((each) => !before.has(each));
    expect(new Set(after).size).toBe(1);
    expect(after.length).toBe(2);
    expect(warnings).toEqual([]);
  });

  it("that hangs costs its picture and a warning; the recorder still finishes and the page closes", async () => {
    await using temp = await openTempFolder();
    const page = await openPage();
    const { recorder, warnings } = await startRecorder(temp.dir, { takePicture: takeScreenshot, limits: { pictureMs: 300 } });
    await recorder.attach(page);
    await page.goto(site.url);
    page.evaluate("while (true);").catch(() => {}); // ends with the page
    expect(await record(recorder, 1, click("#a"), { page })).toBe(null);
    await recorder.finish();
    await page.close();
    const { actions } = await loadTrace(await readFile(join(temp.dir, "trace.zip")));
    expect(actions.map(({ endTime }) => endTime > 0)).toEqual([true]);
    const why = "A picture could not be taken: Cannot take a screenshot: the page gave none within 300 ms";
    expect(warnings).toMatchObject([{ code: "STEP_FAILED", message: why }]);
    expect(await readdir(join(temp.dir, "screenshots"))).toEqual([]);
  });

  it("that closes or never answers is no reason to warn", async () => {
    await using temp = await openTempFolder();
    const { recorder, warnings } = await startRecorder(temp.dir, { takePicture: takeScreenshot });
    const page = await openPage();
    await recorder.attach(page);
    await page.close();
    expect(await record(recorder, 1, click("#a"), { page })).toBe(null);
    const other = await openPage();
    await recorder.attach(other);
    await recorder.finish();
    await other.close();
    expect(warnings).toEqual([]);
  });
});

describe("the agent in a page", () => {
  type Captured = { html: string; nodes: unknown[] };
  /** In the page's own world, where a test can reach it; asked as a recorder asks. */
  async function openAgent(page: Page, html: string) {
    await page.setContent(html);
    await page.evaluate(AGENT_SOURCE);
    let whole = true;
    return async (change = "", maxChars = 1_000_000): Promise<Captured> => {
      const request = { whole, callId: "call@1", aimed: null, secret: false, canvases: true, values: FIELD_VALUES, maxChars };
      const [html] = (await page.evaluate(`${change}; agent.capture(${JSON.stringify(request)})`)) as [string];
      whole = html === "";
      return { html, nodes: html === "" ? [] : (JSON.parse(html) as unknown[]) };
    };
  }

  it("keeps names of custom elements, only those that the viewer can define, and nothing of a page in the viewer's words", async () => {
    await using page = await openPage();
    const capture = await openAgent(
      page,
      `<p __playwright_target__=x __PLAYWRIGHT_value_=y>Text</p><math><annotation-xml></annotation-xml></math><svg><font-face></font-face></svg><x-one></x-one><div id=d></div>`,
    );
    const first = await capture(
      "customElements.define('x-one', class extends HTMLElement {}); customElements.define('x-two', class extends HTMLElement {})",
    );
    expect(first.html).toContain('"__playwright_custom_elements__":"x-one"');
    expect(first.html).not.toMatch(/__playwright_(target|value)_/i);
    const second = await capture("d.append(document.createElement('x-two'))"); // x-one is a reference in it
    expect(second.html).toContain('"__playwright_custom_elements__":"x-one,x-two"');
  });

  it("writes a sheet that many adopt once, and again only when it changes; one that is switched off has no rules", async () => {
    await using page = await openPage();
    const capture = await openAgent(page, "<style id=off>p { color: red }</style><div id=host></div>");
    const hosts = `sheet = new CSSStyleSheet(); sheet.replaceSync("p { color: green }");
      for (let i = 0; i < 20; i++) host.append(Object.assign(document.createElement("div"), { id: "h" + i }));
      for (const each of host.children) each.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet]; off.disabled = true`;
    const count = ({ html }: Captured) => html.split("color: green").length - 1;
    const first = await capture(hosts);
    expect([count(first), first.html.includes("color: red")]).toEqual([1, false]);
    expect(count(await capture("h3.title = 'changed'"))).toBe(0);
    const changed = await capture("sheet.cssRules[0].style.color = 'blue'");
    expect(changed.html.split("color: blue")).toHaveLength(2);
  });

  it("comes to every canvas in turn, however long each takes", async () => {
    await using page = await openPage();
    const capture = await openAgent(page, "<canvas></canvas><canvas></canvas><canvas></canvas>");
    const slow = `const read = HTMLCanvasElement.prototype.toDataURL;
      HTMLCanvasElement.prototype.toDataURL = function (...how) { for (const end = performance.now() + 15; performance.now() < end; ); return read.apply(this, how) };
      for (const canvas of document.querySelectorAll("canvas")) canvas.getContext("2d").fillRect(0, 0, 60, 30)`;
    const count = ({ html }: Captured) => html.split("data:image/webp").length - 1;
    expect([count(await capture(slow)), count(await capture()), count(await capture())]).toEqual([1, 1, 1]); // the others are references
  });

  it("stops where a snapshot would be too large, and is whole the next time", async () => {
    await using page = await openPage();
    const capture = await openAgent(page, `<p>${"x".repeat(500)}</p>`);
    const small = (await capture()).html.length;
    expect((await capture("document.body.append('y'.repeat(500_000))", 100_000)).html).toBe("");
    const next = await capture("document.body.lastChild.remove()", 100_000);
    expect(next.html).toContain("x".repeat(500));
    expect(next.html.length).toBeLessThan(small + 100);
  });
});

describe("past its limits a recording", () => {
  it("says of frames and of snapshots that there are more, and shows the rest", async () => {
    await using temp = await openTempFolder();
    await using page = await openPage();
    const { recorder, warnings } = await startRecorder(temp.dir, { limits: { frames: 3, snapshotBytes: 20_000 } });
    await recorder.attach(page);
    await page.goto(site.url);
    const frames = (count: number) =>
      page.evaluate(`for (let i = 0; i < ${count}; i++) document.body.append(document.createElement("iframe"))`);
    await frames(70);
    await record(recorder, 1, click("#a"), { page });
    const trace = () => readFile(join(temp.dir, "trace", "trace.trace"), "utf8");
    await expect.poll(async () => (await trace()).split('"after@call@1"').length, { timeout: 15_000 }).toBe(5); // that of the action itself too
    await page.evaluate("document.body.append('x'.repeat(30_000))");
    await record(recorder, 2, click("#a"), { page });
    await recorder.finish();
    const text = await trace();
    const snapshots = text.split("\n").filter((line) => line.startsWith('{"type":"frame-snapshot"'));
    expect(snapshots.filter((line) => line.includes("before@call@1"))).toHaveLength(3);
    for (const what of ["3 frames of a page", "20000 bytes of a snapshot"])
      expect(text.split(`Recording limit reached: ${what}.`)).toHaveLength(2);
    expect(warnings).toEqual([]);
  });
});
