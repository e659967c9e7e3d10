/** Pages that mean harm, or are broken as if they did. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, openHarness } from "./harness.ts";

describe("hostile pages", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await openHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  it("cannot tamper with the looks by changing what the browser provides", async () => {
    await using bench = await harness.open(`<button onclick="hits.push('real')">Pay</button><input id=i><p id=p>text</p><script>
      const hits = [];
      JSON.stringify = () => '"forged"'; JSON.parse = () => ({}); Object.prototype.toJSON = () => 'forged'; Promise = null; Map = null;
      for (const [proto, names] of [[Node.prototype, ['parentNode', 'childNodes', 'textContent', 'isConnected', 'nodeType']], [Element.prototype, ['shadowRoot', 'localName', 'innerHTML']]])
        for (const name of names) Object.defineProperty(proto, name, { get() { throw new Error('no') } });
      Document.prototype.querySelectorAll = Element.prototype.getBoundingClientRect = Document.prototype.elementFromPoint = Element.prototype.checkVisibility = () => { throw new Error('no') };
      EventTarget.prototype.addEventListener = window.setTimeout = window.requestAnimationFrame = window.getComputedStyle = MutationObserver = () => {};
      Array.prototype[Symbol.iterator] = null; Function.prototype.call = Function.prototype.apply = null;
    </script>`);
    await bench.act("click", { selector: "role=button[name='Pay']" });
    await bench.act("key_press", { selector: "#i", text: "typed" });
    await expect(bench.act("extract", { selector: "#p" })).resolves.toMatchObject({ text: "text" });
    await expect(bench.act("extract", { selector: "#i", mode: "value" })).resolves.toMatchObject({ text: "typed" });
    await expect(bench.act("evaluate", { expression: "({ hits: hits.length })" })).resolves.toMatchObject({ text: '{"hits":1}' });
  });

  it("can shadow properties with names in its markup, which changes nothing", async () => {
    const names = [
      "parentNode",
      "childNodes",
      "getAttribute",
      "matches",
      "closest",
      "getBoundingClientRect",
      "shadowRoot",
      "textContent",
      "children",
      "localName",
      "id",
      "contains",
    ];
    await using bench =
      await harness.open(`<form aria-label="Sign up">${names.map((name) => `<input name=${name} style="width:20px">`).join("")}<button name=tagName type=button onclick="hit = 1">Go on</button></form>
      <img name=body alt=pic src=data:,><form name=documentElement></form><form name=head></form><img name=querySelectorAll><img name=elementFromPoint><img name=createTreeWalker><img name=evaluate>`);
    await bench.act("click", { selector: "role=button[name='Go on']" });
    await bench.act("wait_for", { selector: "role=form[name='Sign up']" });
    await bench.act("wait_for", { selector: "xpath///form/button" });
    await expect(bench.act("wait_for", { selector: "#nope", timeout_ms: 500 })).rejects.toThrow("#nope: nothing matches");
    expect(await bench.read("window.hit")).toBe(1);
  });

  it("may change without end: what is there is found, what is not times out", async () => {
    await using bench = await harness.open(`<button onclick="n = 1">Go</button><ul id=u></ul><script>
      setInterval(() => { for (let i = 0; i < 50; i += 1) u.append(document.createElement('li')); while (u.children.length > 500) u.firstChild.remove() })</script>`);
    await bench.act("click", { selector: "text=Go" });
    await bench.act("click", { selector: { primary: "#gone", fallbacks: ["text=Go"] }, timeout_ms: 2_000 });
    expect(bench.logs.at(-1)).toContain("fallback 1");
    await expect(bench.act("click", { selector: "#gone", timeout_ms: 500 })).rejects.toThrow("#gone: nothing matches");
  });

  it("may take the element away at the moment of the click, for ever", async () => {
    await using bench = await harness.open(`<div id=root><button>Go</button></div><script>
      addEventListener('pointermove', () => { root.innerHTML = ''; setTimeout(() => root.innerHTML = '<button>Go</button>', 20) }, true)</script>`);
    const failed = bench.act("click", { selector: "text=Go", timeout_ms: 800 });
    await expect(failed).rejects.toMatchObject({ dispatched: false });
    await expect(failed).rejects.toThrow(/Cannot click text=Go: (it was replaced|nothing matches)/);
  });

  it("may hang: an action times out in words, and tells whether its input was sent", async () => {
    await using bench = await harness.open(`<p>x</p><button onclick="while (true) {}">Hang</button>`);
    const clicked = bench.act("click", { selector: "text=Hang", timeout_ms: 600 });
    await expect(clicked).rejects.toMatchObject({ dispatched: true });
    await expect(clicked).rejects.toThrow("Cannot click text=Hang: the page did not come back from it (for 0.6 s)");
    const after = bench.act("extract", { selector: "p", timeout_ms: 500 });
    await expect(after).rejects.toThrow("Cannot extract p: the page does not answer (for 0.5 s)");
    await expect(after).rejects.toMatchObject({ dispatched: false });
  });

  it("may nest without end", async () => {
    await using bench = await harness.open(`<div id=root></div><button onclick="hit = 1">Go</button><script>
      let at = root; for (let i = 0; i < 1200; i += 1) { const next = document.createElement('div'); at.append(next); at = next } at.textContent = 'At the end'</script>`);
    await bench.act("click", { selector: "role=button[name='Go']" });
    await bench.act("wait_for", { selector: "text=at the end" });
    await expect(bench.act("extract", { selector: "#root", mode: "markdown" })).resolves.toMatchObject({ text: "At the end" });
    expect(await bench.read("hit")).toBe(1);
  });

  it("may crash", async () => {
    await using bench = await harness.open("<p>x</p>");
    const waiting = bench.act("wait_for", { selector: "#never", timeout_ms: 1_500 }).catch((error: Error) => error);
    const session = await bench.page.createCDPSession();
    session.send("Page.crash").catch(() => {}); // never answered
    expect(await waiting).toMatchObject({ code: "STEP_FAILED" });
  });

  it("may reload for ever", async () => {
    await using bench = await harness.open("<p>x</p>", { "/loop": "<p>again</p><script>location.reload()</script>" });
    await bench.act("goto", { url: `${harness.site.url}/loop`, timeout_ms: 1_000 }).catch(() => {});
    await expect(bench.act("click", { selector: "#never", timeout_ms: 1_000 })).rejects.toMatchObject({ code: "STEP_FAILED" });
  });

  it("may keep every event to itself: it is clicked once, whatever it hides, and the log tells", async () => {
    const hide = `<script>const clicks = []; for (const name of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click', 'auxclick', 'contextmenu'])
      addEventListener(name, (e) => { e.stopImmediatePropagation(); if (!/mouse|pointer/.test(name)) clicks.push(name) }, true)</script>`;
    await using bench = await harness.open(`<button>Go</button><iframe src="/in"></iframe>${hide}`, {
      "/in": `<button>Inner</button>${hide}`,
    });
    for (const [selector, button] of [
      ["text=Go", "left"],
      ["text=Go", "middle"],
      ["text=Inner", "left"],
    ]) {
      await expect(bench.act("click", { selector, button })).resolves.toMatchObject({ dispatched: true });
      expect(bench.logs.at(-1)).toBe("The page keeps its events to itself: it was given the click, what the click hit was not seen");
    }
    expect(await bench.read("[clicks, frames[0].eval('clicks')]")).toEqual([["click", "auxclick"], ["click"]]);
    await bench.act("click", { selector: "iframe" });
    expect(await bench.read("[clicks.length, frames[0].eval('clicks.length')]")).toEqual([2, 2]);
  });
});
