import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linkOf } from "../../pool/actions/page-link.ts";
import { takeScreenshot } from "../../pool/actions/screenshot.ts";
import { Redactor } from "../../pool/secrets/redactor.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { type Harness, openHarness } from "./harness.ts";

const INNER = `<style>body { margin: 0 }</style><div style="height:900px">Tall</div><button onclick="document.title = 'hit'; parent.postMessage('hit', '*')">Pay now</button>
  <label>Card <input id=card></label><select id=s><option value=1>One<option value=2>Two</select><p class=only>In the frame</p>`;

describe("frames and shadow roots", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await openHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  const outer = (src: string) =>
    `<h1>Shop</h1><div style="height:1500px"></div><iframe src="${src}" style="border:7px solid;padding:11px;width:400px;height:300px;transform:scale(.8);transform-origin:0 0"></iframe><script>addEventListener('message', (e) => { document.title = e.data })</script>`;

  it.each(["same site", "another site", "nested in another site"])("acts in a frame of %s", async (kind) => {
    const { site } = harness;
    const src = kind === "same site" ? "/inner" : kind === "another site" ? `${site.otherUrl}/inner` : `${site.otherUrl}/middle`;
    await using bench = await harness.open(outer(src), {
      "/inner": INNER,
      "/middle": `<p>Middle</p><iframe src="${site.url}/inner" style="width:350px;height:200px"></iframe><script>addEventListener('message', (e) => parent.postMessage(e.data, '*'))</script>`,
    });
    await bench.act("click", { selector: "role=button[name='Pay now']" });
    await bench.page.waitForFunction("document.title === 'hit'", { polling: 50 });
    await bench.act("key_press", { selector: "role=textbox[name='Card']", text: "4242", key: "Tab" });
    await expect(bench.act("select", { selector: "#s", label: "Two" })).resolves.toMatchObject({ text: "2" });
    await expect(bench.act("extract", { selector: "#card", mode: "value" })).resolves.toMatchObject({ text: "4242" });
    await expect(bench.act("extract", { selector: "aria/Card" })).resolves.toMatchObject({ text: "4242" });
    await expect(bench.act("extract", { selector: ".only" })).resolves.toMatchObject({ text: "In the frame" });
  });

  it("comes to the innermost of nested sites every time, and forgets the frames of pages that are gone", async () => {
    const { site } = harness;
    await using bench = await harness.open(outer(`${site.otherUrl}/middle`), {
      "/inner": INNER,
      "/middle": `<p>Middle</p><iframe src="${site.url}/inner"></iframe>`,
    });
    for (let i = 0; i < 12; i += 1) {
      await bench.act("goto", { url: site.url });
      await expect(bench.act("extract", { selector: ".only" })).resolves.toMatchObject({ text: "In the frame" });
    }
    const link = await linkOf(bench.page);
    const frames = await link.frames(bench.stop.signal);
    expect(frames.map(({ deaf }) => deaf)).toEqual([false, false, false]);
  });

  it("keeps a click from the page around a frame that is not drawn yet, and brings it to the frame", async () => {
    const { site } = harness;
    const count = "<script>let n = 0; addEventListener('mousedown', () => { n += 1 }, true)</script>";
    await using bench = await harness.open(
      `${count}<script>onkeydown = () => document.body.insertAdjacentHTML('beforeend', '<iframe src="${site.otherUrl}/in" style="position:fixed;inset:0;width:100%;height:100%"></iframe>')</script>`,
      { "/in": `${count}<button style="position:fixed;inset:0">Go</button>` },
    );
    await bench.act("key_press", { key: "a" });
    await bench.act("click", { selector: "text=Go" });
    expect([await bench.read("n"), await bench.page.frames()[1]?.evaluate("n")]).toEqual([0, 1]);
  });

  it("prefers the main frame, and the frames in their order", async () => {
    await using bench = await harness.open(`<iframe src="/a"></iframe><iframe src="/b"></iframe><p class=main>Main</p>`, {
      "/a": "<p class=both>A</p><p class=main>A</p>",
      "/b": "<p class=both>B</p>",
    });
    await expect(bench.act("extract", { selector: ".main" })).resolves.toMatchObject({ text: "Main" });
    await expect(bench.act("extract", { selector: ".both" })).resolves.toMatchObject({ text: "A" });
  });

  it("waits for a frame that comes later, and for what comes in it", async () => {
    await using bench = await harness.open(
      `<div id=d></div><script>setTimeout(() => d.innerHTML = '<iframe src="/late"></iframe>', 200)</script>`,
      {
        "/late": `<div id=x></div><script>setTimeout(() => x.innerHTML = '<button onclick="top.hit = 1">Late</button>', 300)</script>`,
      },
    );
    await bench.act("click", { selector: "text=Late" });
    expect(await bench.read("window.hit")).toBe(1);
  });

  it("does not click through what covers the frame", async () => {
    await using bench = await harness.open(
      `<iframe src="/inner" style="width:300px;height:200px"></iframe><div id=veil style="position:fixed;inset:0;background:#000a"></div>`,
      { "/inner": `<button onclick="top.hit = 1">Pay</button>` },
    );
    await expect(bench.act("click", { selector: "text=Pay", timeout_ms: 600 })).rejects.toThrow(
      'text=Pay: its frame is covered by <div id="veil"> (for 0.6 s)',
    );
    expect(await bench.read("window.hit ?? 0")).toBe(0);
  });

  it("waits for an element to go from every frame", async () => {
    await using bench = await harness.open(`<iframe src="/inner"></iframe>`, {
      "/inner": "<p id=p>busy</p><script>setTimeout(() => p.remove(), 300)</script>",
    });
    await bench.act("wait_for", { selector: "#p" });
    await bench.act("wait_for", { selector: "#p", state: "detached" });
    expect(await bench.page.frames()[1]?.$("#p")).toBeNull();
  });

  it("reads and clicks in a sandboxed frame that runs no scripts", async () => {
    await using bench = await harness.open(`<iframe sandbox src="/in"></iframe><b>main</b>`, {
      "/in": `<h1>Inside</h1><a href="#x">Jump</a>`,
    });
    await expect(bench.act("extract", { selector: "h1" })).resolves.toMatchObject({ text: "Inside" });
    await bench.act("click", { selector: "text=Jump" });
    expect(bench.page.frames()[1]?.url()).toMatch(/#x$/);
    await expect(bench.act("click", { selector: "#nope", timeout_ms: 800 })).rejects.toThrow("#nope: nothing matches");
  });

  it("does without a frame that hangs", async () => {
    await using bench = await harness.open(
      `<iframe src="${harness.site.otherUrl}/in"></iframe><script>addEventListener('message', () => setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<b>late</b>'), 700))</script>`,
      {
        "/in":
          "<h1>Inside</h1><script>setTimeout(() => { parent.postMessage('hung', '*'); setTimeout(() => { while (true) {} }, 50) }, 200)</script>",
      },
    );
    await expect(bench.act("extract", { selector: "b" })).resolves.toMatchObject({ text: "late" });
    await bench.act("wait_for", { selector: "#nope", state: "hidden" });
  });

  const HANGS =
    "<p>Zebra-42-Quagga</p><script>setTimeout(() => { parent.postMessage('hung', '*'); setTimeout(() => { while (true) {} }, 50) }, 200)</script>";
  const WAITS = `<script>addEventListener('message', () => setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<b>late</b>'), 100))</script>`;

  it("takes no picture, and presses no key unseen, while a frame hangs that may show a secret or have the focus", async () => {
    await using bench = await harness.open(`<iframe src="${harness.site.otherUrl}/in"></iframe><button>Go</button>${WAITS}`, {
      "/in": HANGS,
    });
    await bench.act("extract", { selector: "b" });
    const secrets = new Redactor([new SecretValue("s", "Zebra-42-Quagga")]);
    await expect(takeScreenshot(bench.page, { signal: bench.stop.signal, secrets })).rejects.toThrow("cannot be covered");
    const asked: unknown[] = [];
    const permit = async (target: unknown) => void asked.push(target);
    await bench.act("key_press", { key: "Tab" }, { permit });
    await bench.read("document.querySelector('button').focus()");
    await bench.act("key_press", { key: "Enter" }, { permit });
    expect(asked).toMatchObject([{ name: "Go" }]);
    await bench.read("document.querySelector('iframe').focus()");
    await expect(bench.act("key_press", { key: "Enter" }, { permit })).rejects.toThrow("a frame that does not answer may have the focus");
  });

  it("waits for a page that is busy, with frames or without", async () => {
    await using bench = await harness.open(`<iframe src="/in"></iframe><h1>Outside</h1>`, { "/in": "<p>Inside</p>" });
    await bench.act("extract", { selector: "h1" });
    const busy = bench.read("(() => { const end = Date.now() + 1500; while (Date.now() < end); })()");
    await expect(bench.act("extract", { selector: "p" })).resolves.toMatchObject({ text: "Inside" });
    await busy;
  });

  it("chooses in one frame only when several have the element", async () => {
    const inner = "<select id=s><option>One<option>Two</select>";
    await using bench = await harness.open(
      `<script>setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<iframe src="/a"></iframe><iframe src="/b"></iframe>'), 200)</script>`,
      { "/a": inner, "/b": inner },
    );
    await bench.act("select", { selector: "#s", label: "Two" });
    const values = await Promise.all(
      bench.page
        .frames()
        .slice(1)
        .map((frame) => frame.waitForSelector("#s").then((s) => s?.evaluate((e) => (e as HTMLSelectElement).value))),
    );
    expect(values.toSorted()).toEqual(["One", "Two"]);
  });

  it("clicks, types and reads in open shadow roots, through slots and overlays of their own", async () => {
    await using bench = await harness.open(`<x-card><span slot=title>Title</span></x-card><script>
      customElements.define('x-card', class extends HTMLElement { constructor() { super(); const root = this.attachShadow({ mode: 'open' });
        root.innerHTML = '<slot name=title></slot><input id=deep><button>Buy</button><x-inner></x-inner>'; root.querySelector('button').onclick = () => hits.push('buy') } });
      customElements.define('x-inner', class extends HTMLElement { constructor() { super(); this.attachShadow({ mode: 'open' }).innerHTML = '<button>Deeper</button>'; this.shadowRoot.firstChild.onclick = () => hits.push('deeper') } });
      const hits = [];</script>`);
    await bench.act("click", { selector: "x-card button" });
    await bench.act("click", { selector: "role=button[name='Deeper']" });
    await bench.act("click", { selector: "pierce/x-inner button" });
    await bench.act("click", { selector: "text=Title" });
    await bench.act("key_press", { selector: "#deep", text: "typed" });
    await expect(bench.act("extract", { selector: "#deep", mode: "value" })).resolves.toMatchObject({ text: "typed" });
    expect(await bench.read("hits")).toEqual(["buy", "deeper", "deeper"]);
  });

  it("reaches into closed shadow roots with aria/", async () => {
    await using bench = await harness.open(
      `<div id=host></div><script>const r = host.attachShadow({ mode: 'closed' }); r.innerHTML = '<button>Hidden away</button>'; r.firstChild.onclick = () => hit = 1; let hit = 0</script>`,
    );
    await bench.act("click", { selector: 'aria/Hidden away[role="button"]' });
    expect(await bench.read("hit")).toBe(1);
    await expect(bench.act("click", { selector: "text=Hidden away", timeout_ms: 500 })).rejects.toThrow("nothing matches");
  });
});
