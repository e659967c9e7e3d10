/** What a trace shows of pages as they are in the world: frames, shadow roots, sheets, canvas, popups; and what it must not show. */

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Frame } from "puppeteer-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { perform } from "../../pool/actions/perform.ts";
import type { Action } from "../../shared/action.ts";
import { DEMO_USER, openDashboard } from "../fixtures/dashboard/dashboard.ts";
import { openChrome } from "../support/chrome.ts";
import { readZip } from "../support/zip.ts";
import { readByCli } from "./cli.ts";
import { openFlow } from "./flow.ts";
import { click, collect, goto, openTempFolder, typing } from "./support.ts";
import { selectAction, serveViewer, snapshotShown } from "./viewer.ts";
import { loadTrace } from "./viewer-model.ts";

const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const rows = (count: number) => Array.from({ length: count }, (_, i) => `<li class=row>Row ${i} <b>${i * 7}</b></li>`).join("");
const WIDE = (other: string) => `<!doctype html><html><head><title>Wide</title><link rel=stylesheet href=/site.css></head><body>
<h1>Wide page</h1><button id=go onclick="document.querySelector('h1').textContent='Went'; document.body.append(' After the click')">Go</button>
<form><input name=attributes value=shadowed><input name=nodeName><input name=firstChild></form>
<img id=pic src=/pixel.png width=40 height=40><canvas id=c width=60 height=30></canvas><iframe src=/inner></iframe><iframe src="${other}/inner?cross"></iframe>
<x-card></x-card><select id=s><option>One<option selected>Two</select><div id=scroller style="height:50px;overflow:auto"><ul>${rows(1600)}</ul></div>
<script>
  JSON.stringify = () => "broken"; Node.prototype.cloneNode = null; window.MutationObserver = undefined; // a page that is hostile to recorders
  const sheet = new CSSStyleSheet(); sheet.replaceSync("h1 { color: rgb(1, 2, 3) }"); document.adoptedStyleSheets = [sheet];
  customElements.define("x-card", class extends HTMLElement { connectedCallback() {
    const root = this.attachShadow({ mode: "open" }); root.innerHTML = "<style>p { color: rgb(9, 8, 7) }</style><p>In the shadow</p>"; } });
  const g = document.getElementById("c").getContext("2d"); g.fillStyle = "rgb(200, 0, 0)"; g.fillRect(0, 0, 60, 30);
  document.getElementById("scroller").scrollTop = 300; document.getElementById("s").selectedIndex = 0;
</script></body></html>`;
const hanging = (other: string) =>
  `<!doctype html><h1>Around</h1><input id=name><button id=go onclick="document.querySelector('h1').textContent = 'Went'">Go</button><iframe src="${other}/hang"></iframe>`;
const PAGES: Record<string, [type: string, body: string | Buffer]> = {
  "/inner": [
    "text/html",
    "<!doctype html><style>p { color: rgb(4, 5, 6) }</style><p>Inner text</p><script>console.log('said in ' + location.href)</script><input id=field><button id=in>Inside</button>",
  ],
  "/site.css": ["text/css", "body { background: rgb(10, 20, 30) }"],
  "/pixel.png": ["image/png", PIXEL],
  "/popup": ["text/html", "<!doctype html><h1>Popped up</h1><button id=close>Close it</button>"],
  "/opener": ["text/html", "<!doctype html><h1>Opener</h1><button id=open onclick=\"window.open('/popup')\">Open</button>"],
  "/late": ["text/html", "<!doctype html><button id=open onclick=\"setTimeout(() => window.open('/popup'), 300)\">Open</button>"],
  "/hang": ["text/html", "<!doctype html><p>Hangs</p><script>addEventListener('load', () => setTimeout(() => { for (;;); }))</script>"],
  "/away": [
    "text/html",
    "<!doctype html><h1>Away</h1><script>let n = 0; addEventListener('load', () => location.replace('/away2'))</script>",
  ],
  "/away2": ["text/html", "<!doctype html><h1>Arrived</h1><button id=b>Stay</button>"],
};
const NESTED: Record<string, (other: string) => string> = { "/wide": WIDE, "/around-hang": hanging };

let chrome: Awaited<ReturnType<typeof openChrome>>;
let server: Server;
let site: string;
beforeAll(async () => {
  chrome = await openChrome();
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const port = (server.address() as AddressInfo).port;
    const [type, body] =
      pathname in NESTED
        ? ["text/html", NESTED[pathname]?.(`http://localhost:${port}`) ?? ""]
        : (PAGES[pathname] ?? ["text/plain", "none"]);
    response.setHeader("Content-Type", type).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await chrome?.[Symbol.asyncDispose]();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

it("marks what was chosen in, read, waited for and scrolled, in whatever frame, out of sight too", async () => {
  await using temp = await openTempFolder();
  await using flow = await openFlow(chrome.browser, temp.dir, { pictures: false });
  await flow.act(goto(`${site}/wide`));
  const on = (primary: string) => ({ selector: { primary, fallbacks: [], description: null }, timeout_ms: null });
  await flow.act({ action: "select", ...on("#s"), params: { label: "Two" } });
  await flow.act({ action: "extract", ...on("text=Inner text"), params: { mode: "text" } });
  await flow.act({ action: "wait_for", ...on("x-card p"), params: { state: "visible" } });
  await flow.act({ action: "scroll", ...on("#scroller"), params: { direction: "down", amount: 40 } });
  await flow.act({ action: "extract", ...on("li:last-child b"), params: { mode: "text" } });
  const reading = flow.recorder.action({
    seq: 7,
    action: { action: "extract", ...on("li b"), params: { mode: "text" } },
    title: null,
    page: flow.page,
  });
  await perform(
    flow.tabs,
    { action: "extract", ...on("li b"), params: { mode: "text" } },
    { signal: new AbortController().signal, observe: reading.observer },
  );
  await flow.page.$eval("ul", (list) => list.insertAdjacentHTML("afterbegin", "<li class=row>Row new <b>999</b></li>")); // another stands there now
  reading.end({ error: null, resultText: null });
  await flow.recorder.finish();
  const lines = (await readZip(await collect(flow.recorder.zip()))).get("trace.trace")?.toString().trim().split("\n") ?? [];
  type Html = string | [string, Record<string, string>, ...Html[]] | [[number, number]];
  const marked = (node: Html): string[] => {
    if (typeof node === "string" || Array.isArray(node[0])) return [];
    const [tag, attributes, ...children] = node as [string, Record<string, string>, ...Html[]];
    const mine =
      attributes?.__playwright_target__ === undefined ? [] : [`${attributes.__playwright_target__} ${tag} ${attributes.id ?? ""}`.trim()];
    return [...mine, ...children.flatMap(marked)];
  };
  const found = lines
    .map((line) => JSON.parse(line))
    .flatMap((event) => (event.type === "frame-snapshot" ? marked(event.snapshot.html) : []));
  expect(new Set(found)).toEqual(new Set(["call@2 SELECT s", "call@3 P", "call@4 P", "call@5 DIV scroller", "call@6 B"]));
  expect(flow.warnings).toEqual([]);
});

it("shows a wide page before and after a click: frames, shadow roots, adopted sheets, pictures, canvas, scroll; and a field in a frame", async () => {
  await using temp = await openTempFolder();
  await using flow = await openFlow(chrome.browser, temp.dir);
  await flow.act(goto(`${site}/wide`));
  await flow.act(click("#go"));
  await flow.act(typing("#field", "into the frame"));
  await flow.recorder.finish();
  expect(flow.warnings).toEqual([]);
  const zip = await collect(flow.recorder.zip());
  const said = (await loadTrace(zip)).events.flatMap(({ text = "" }) => (text.startsWith("said in") ? [text] : []));
  expect(said).toHaveLength(2); // that of another site too
  await using served = await serveViewer(async () => zip);
  const viewer = await chrome.browser.newPage();
  const errors: unknown[] = [];
  viewer.on("pageerror", (error) => errors.push(error));
  await viewer.goto(served.url);
  await selectAction(viewer, "Click", "Before");
  const before = await snapshotShown(viewer, "Wide page");
  const look = () => {
    const of = (selector: string) => getComputedStyle(document.querySelector(selector) as Element);
    const shadow = document.querySelector("x-card")?.shadowRoot?.querySelector("p") as Element;
    const canvas = document.querySelector("#c") as HTMLImageElement;
    return {
      heading: of("h1").color,
      body: of("body").backgroundColor,
      shadow: getComputedStyle(shadow).color,
      picture: (document.querySelector("#pic") as HTMLImageElement).naturalWidth,
      canvas: [canvas.naturalWidth, canvas.getBoundingClientRect().width],
      scrolled: document.querySelector("#scroller")?.scrollTop,
      selected: (document.querySelector("#s") as HTMLSelectElement).value,
      rows: document.querySelectorAll("li").length,
    };
  };
  const seen = {
    heading: "rgb(1, 2, 3)",
    body: "rgb(10, 20, 30)",
    shadow: "rgb(9, 8, 7)",
    picture: 1,
    canvas: [60, 60],
    scrolled: 300,
    selected: "One",
    rows: 1600,
  };
  await expect.poll(() => before.evaluate(look).catch(() => null)).toEqual(seen);
  const colours = () =>
    Promise.all(before.childFrames().map((frame) => frame.$eval("p", (text) => getComputedStyle(text).color))).catch(() => []); // being loaded
  await expect.poll(colours).toEqual(["rgb(4, 5, 6)", "rgb(4, 5, 6)"]);
  await selectAction(viewer, "Click", "After");
  const after = await snapshotShown(viewer, "After the click");
  await expect.poll(() => after.evaluate(look).catch(() => null)).toEqual(seen);
  await selectAction(viewer, "Fill", "After");
  await snapshotShown(viewer, "Went");
  const valueIn = (frame: Frame) =>
    frame.$eval("#field[__playwright_target__]", (field) => (field as HTMLInputElement).value).catch(() => null); // another frame
  await expect.poll(() => Promise.all(viewer.frames().map(valueIn))).toContain("into the frame");
  expect(errors).toEqual([]);
  await viewer.close();
  await readByCli(join(temp.dir, "trace.zip"));
  const sizes = (await readFile(join(temp.dir, "trace", "trace.trace"), "utf8"))
    .split("\n")
    .filter((line) => line.startsWith('{"type":"frame-snapshot"'))
    .map((line) => line.length);
  expect(Math.max(...sizes)).toBeGreaterThan(50_000);
  expect(Math.max(...sizes.slice(-12))).toBeLessThan(2_000); // what did not change is a reference
});

it("records a popup as a page of its own, and a page that navigates away under its snapshot", async () => {
  await using temp = await openTempFolder();
  await using flow = await openFlow(chrome.browser, temp.dir);
  await flow.act(goto(`${site}/opener`));
  await flow.act(click("#open"));
  await flow.act(click("#close"));
  await flow.act(goto(`${site}/away`));
  await flow.act(click("#b"));
  await flow.recorder.finish();
  const model = await loadTrace(await collect(flow.recorder.zip()));
  expect(model.pages).toHaveLength(2);
  expect(flow.warnings).toEqual([]);
  const zip = await collect(flow.recorder.zip());
  await using served = await serveViewer(async () => zip);
  const viewer = await chrome.browser.newPage();
  await viewer.goto(served.url);
  await selectAction(viewer, "#close", "Before");
  await snapshotShown(viewer, "Popped up");
  await selectAction(viewer, "#b", "After");
  await snapshotShown(viewer, "Arrived");
  await viewer.close();
});

it("shows a click where it was done: in a tab that came while the element was looked for", async () => {
  await using temp = await openTempFolder();
  await using flow = await openFlow(chrome.browser, temp.dir, { rests: false, pictures: false });
  await flow.act(goto(`${site}/late`));
  await flow.act(click("#open"));
  await flow.act({ ...click("#close"), timeout_ms: 5_000 });
  await flow.recorder.finish();
  const snapshots = (await readFile(join(temp.dir, "trace", "trace.trace"), "utf8"))
    .split("\n")
    .flatMap((line) => /^{"type":"frame-snapshot".*?"snapshotName":"(input|after)@call@3","pageId":"(page@\d)"/.exec(line) ?? []);
  expect(snapshots.slice(1, 3)).toEqual(["input", "page@2"]);
  expect(snapshots).not.toContain("page@1");
});

it("holds up no input for a frame that hangs", async () => {
  await using temp = await openTempFolder();
  await using flow = await openFlow(chrome.browser, temp.dir, { rests: false, pictures: false });
  await flow.act(goto(`${site}/around-hang`));
  await flow.act(typing("#name", "a name"));
  await flow.act(click("#go"));
  expect(await flow.page.$eval("h1", (heading) => heading.textContent)).toBe("Went");
  await flow.recorder.finish();
  const { actions } = await loadTrace(await collect(flow.recorder.zip()));
  expect(actions.map(({ error }) => error?.message)).toEqual([undefined, undefined, undefined]);
  expect(flow.warnings).toEqual([]);
});

it("shows no password, credential, cookie or authorization anywhere, in whatever encoding", async () => {
  await using temp = await openTempFolder();
  await using dashboard = await openDashboard({ slowMs: 5 });
  const credentials = { username: "user&\"name'öx", password: DEMO_USER.password };
  await using flow = await openFlow(chrome.browser, temp.dir, {
    credentials,
    source: { file: "playbooks/a.yaml", text: `id: a # ${credentials.password}\n`, stepLines: [1] },
  });
  const typed = (selector: string, credential_ref: string): Action => ({ ...typing(selector, ""), params: { credential_ref } }) as Action;
  const password = "not+given as/credential";
  await flow.page.setExtraHTTPHeaders({ Authorization: "Bearer token-of-the-header-123" });
  await flow.act(goto(`${dashboard.url}/login`));
  await flow.act(typed("#username", "username"));
  await flow.act(typing("#password", password, "Enter")); // refused, echoed by nobody, but posted
  await flow.page.evaluate("document.body.append(document.cookie)");
  await flow.act(goto(`${dashboard.url}/login`));
  await flow.act(typing("#username", DEMO_USER.username));
  await flow.act(typed("#password", "password"));
  await flow.page.$eval("#password", (field) => field.setAttribute("type", "text")); // as pages that show the password on demand
  await flow.act(click("#sign-in"));
  await flow.act({
    action: "wait_for",
    selector: { primary: "#orders tbody tr", fallbacks: [], description: null },
    params: { state: "visible" },
    timeout_ms: null,
  } as Action);
  const cookies = await flow.page.cookies();
  await flow.recorder.finish();
  const session = cookies.find(({ name }) => name === "session")?.value ?? "";
  expect(session).not.toBe("");
  const entries = [...(await readZip(await collect(flow.recorder.zip())))];
  const everything = entries.flatMap(([name, content]) => [name, content.toString("latin1"), content.toString()]).join("\n");
  const forms = (secret: string) => [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ a: secret }).toString().slice(2),
    Buffer.from(secret).toString("base64").replace(/=+$/, "").slice(0, -1),
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(JSON.stringify(secret)).slice(3, -3),
  ];
  for (const secret of [credentials.username, credentials.password, password, session, "token-of-the-header-123"]) {
    for (const form of forms(secret)) expect(everything.includes(form), `${secret} as ${form}`).toBe(false);
  }
  const model = await loadTrace(await collect(flow.recorder.zip()));
  const headers = model.resources.flatMap(({ request, response }) => [...request.headers, ...response.headers]);
  const masked = headers.filter(({ value }) => value === "[redacted]").map(({ name }) => name.toLowerCase());
  expect(new Set(masked)).toEqual(new Set(["authorization", "cookie", "set-cookie"]));
  const posted = model.resources.find(({ request }) => request.method === "POST");
  expect(posted?.request.url).toContain("/login");
  expect(model.resources.some(({ response }) => response.content._file?.endsWith(".css"))).toBe(true);
  expect(flow.warnings).toEqual([]);
});
