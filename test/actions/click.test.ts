import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ActionError } from "../../pool/actions/action-error.ts";
import { type Harness, openHarness } from "./harness.ts";

const COUNTER = `<script>let clicks = 0; const count = () => { clicks += 1 };</script>`;

describe("click", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await openHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  it("clicks with trusted events at the middle of the element, after telling where", async () => {
    await using bench = await harness.open(
      `<button style="position:absolute;left:100px;top:50px;width:200px;height:40px" onclick="e = event">Save</button>`,
    );
    await expect(bench.act("click", { selector: "text=save" })).resolves.toMatchObject({ text: null, dispatched: true });
    expect(await bench.read("[e.isTrusted, e.clientX, e.clientY, e.detail, e.button]")).toEqual([true, 200, 70, 1, 0]);
    expect(bench.inputs).toMatchObject([{ point: { x: 200, y: 70 }, box: { x: 100, y: 50, width: 200, height: 40 } }]);
    expect(bench.logs).toEqual(["Found: text=save → <button>Save"]);
  });

  it("clicks with another button, and more than once", async () => {
    await using bench = await harness.open(
      `<p onclick="l.push(event.detail)" ondblclick="l.push('double')" oncontextmenu="l.push('menu'); event.preventDefault()" onauxclick="l.push('aux' + event.button)">x</p><script>l = []</script>`,
    );
    await bench.act("click", { selector: "p", click_count: 2 });
    await bench.act("click", { selector: "p", button: "right" });
    await bench.act("click", { selector: "p", button: "middle" });
    expect(await bench.read("l")).toEqual([1, 2, "double", "menu", "aux2", "aux1"]);
  });

  it("finds the visible one behind a hidden duplicate, and takes the first of several", async () => {
    await using bench = await harness.open(`${COUNTER}
      <div hidden><button onclick="which = 'hidden'">Save</button></div>
      <button onclick="which = 'first'">Save</button> <button onclick="which = 'second'">Save</button>`);
    await bench.act("click", { selector: "role=button[name='Save'][include-hidden]" });
    expect(await bench.read("which")).toBe("first");
    expect(bench.logs).toContain("2 visible elements match; the first one was taken");
  });

  it("takes of several the one that another selector of the chain finds too", async () => {
    await using bench = await harness.open(`${COUNTER}
      <aside><button onclick="which = 'other'">Save</button></aside><button id="save" onclick="which = 'meant'">Save</button>`);
    const chain = { primary: "role=button[name='Save']", fallbacks: ["#gone", "#save"], description: null };
    await bench.act("click", { selector: chain });
    expect(await bench.read("which")).toBe("meant");
    expect(bench.logs).toContain("2 visible elements match; the one that another selector of the chain finds too was taken");
  });

  it("does not let an aria selector decide that was answered for another look", async () => {
    await using bench = await harness.open(`${COUNTER}
      <button class=save onclick="which = 'first'">One</button><button class=save id=b aria-label="Only" onclick="which = 'stale'">Two</button>`);
    await bench.act("click", { selector: "aria/Only" });
    expect(await bench.read("which")).toBe("stale");
    await bench.read("document.getElementById('b').removeAttribute('aria-label')");
    await bench.act("click", { selector: { primary: ".save", fallbacks: ["aria/Only"] } });
    expect(await bench.read("which")).toBe("first");
  });

  it("scrolls to what is out of sight, also in a box of its own and under a header that stays", async () => {
    await using bench =
      await harness.open(`${COUNTER}<header style="position:fixed;top:0;left:0;right:0;height:50vh;background:#ccc">Header</header>
      <div style="height:3000px"></div><div style="height:100px;overflow:auto;scroll-behavior:smooth"><div style="height:1000px"></div><button onclick="count()">Deep</button></div><div style="height:3000px"></div>`);
    await bench.act("click", { selector: "text=Deep" });
    expect(await bench.read("clicks")).toBe(1);
  });

  it("waits until it is enabled, and says so when it never is", async () => {
    await using bench =
      await harness.open(`${COUNTER}<button id=a disabled onclick="count()">Later</button><script>setTimeout(() => a.disabled = false, 300)</script>
      <fieldset disabled><button id=b>Never</button></fieldset><div aria-disabled=true><a href=# id=c>Nor this</a></div><button disabled><span id=d>Inner</span></button>`);
    await bench.act("click", { selector: "#a" });
    expect(await bench.read("clicks")).toBe(1);
    for (const [selector, why] of [
      ["#b", "#b: it is disabled"],
      ["#c", "#c: it is disabled"],
      ["#d", "#d: <button>Inner is disabled"],
    ]) {
      const failed = bench.act("click", { selector, timeout_ms: 500 });
      await expect(failed).rejects.toThrow(`Cannot click ${why} (for 0.5 s)`);
      await expect(failed).rejects.toMatchObject({ code: "STEP_FAILED", dispatched: false });
    }
  });

  it("does not click through what covers it, and names that", async () => {
    await using bench = await harness.open(`${COUNTER}<button onclick="count()">Cancel</button>
      <div class="toast" onclick="count()" style="position:fixed;inset:0;background:#fff8"><p>Saved</p></div>`);
    const failed = bench.act("click", { selector: "role=button[name='Cancel']", timeout_ms: 500 });
    await expect(failed).rejects.toThrow(`Cannot click role=button[name='Cancel']: covered by <div class="toast">Saved (for 0.5 s)`);
    await expect(failed).rejects.toBeInstanceOf(ActionError);
    expect(await bench.read("clicks")).toBe(0);
  });

  it("waits for a toast that fades away", async () => {
    await using bench = await harness.open(`${COUNTER}<button onclick="count()">Next</button>
      <div id=toast style="position:fixed;inset:0;background:#fff;transition:opacity .2s">Saved</div>
      <script>setTimeout(() => { toast.style.opacity = 0; toast.ontransitionend = () => toast.remove() }, 150)</script>`);
    await bench.act("click", { selector: "text=Next" });
    expect(await bench.read("clicks")).toBe(1);
  });

  it("finds a free corner of what is covered in part", async () => {
    await using bench =
      await harness.open(`${COUNTER}<button onclick="count()" style="position:absolute;left:0;top:0;width:200px;height:60px">Wide</button>
      <div style="position:absolute;left:60px;top:0;width:80px;height:60px;background:#ccc">chip</div>`);
    await bench.act("click", { selector: "text=Wide" });
    expect(await bench.read("clicks")).toBe(1);
  });

  it("waits until a moving element stands still", async () => {
    await using bench = await harness.open(`${COUNTER}<style>@keyframes in { from { transform: translateX(600px) } }</style>
      <button onclick="count()" style="animation: in .4s linear">Slide</button>`);
    await bench.act("click", { selector: "text=Slide" });
    expect(await bench.read("clicks")).toBe(1);
    await bench.page.setContent(
      `<button style="position:absolute">Run</button><script>let x = 0; const b = document.querySelector('button'); (function run() { b.style.left = (x += 7) % 600 + 'px'; requestAnimationFrame(run) })()</script>`,
    );
    await expect(bench.act("click", { selector: "text=Run", timeout_ms: 500 })).rejects.toThrow("text=Run: it keeps moving");
  });

  it("follows labels, and parts of buttons", async () => {
    await using bench = await harness.open(`<style>.toggle input { position:absolute; opacity:0; width:1px; height:1px }</style>
      <label class=toggle><input type=checkbox id=box><span style="display:inline-block;width:40px;height:20px;background:#ccc"></span> Dark mode</label>
      <label for=other id=label>Other</label><input type=checkbox id=other>
      <button onclick="hit = 1"><svg width=20 height=20 style="pointer-events:none"><circle id=dot cx=10 cy=10 r=8></circle></svg></button>`);
    await bench.act("click", { selector: "text=Dark mode" });
    await bench.act("click", { selector: "#label" });
    await bench.act("click", { selector: "#dot" });
    expect(await bench.read("[box.checked, other.checked, hit]")).toEqual([true, true, 1]);
    await bench.act("click", { selector: "role=checkbox[name='Dark mode']" });
    expect(await bench.read("box.checked")).toBe(false);
  });

  it("clicks a link that breaks over two lines", async () => {
    await using bench = await harness.open(
      `<p style="width:200px">Some words before <a href="#hit" id=a>a link that does not fit on one line at all</a></p>`,
    );
    await bench.act("click", { selector: "#a" });
    expect(bench.tabs.url()).toMatch(/#hit$/);
  });

  it("lands on the new node when the page draws it anew between look and click", async () => {
    // Hovering replaces the button, as a framework does that renders on every pointer event; at first it moves, too.
    await using bench = await harness.open(`<div id=root></div><script>
      let renders = 0, clicks = 0;
      const render = () => { root.innerHTML = '<button style="margin-left:' + (renders < 3 ? renders * 40 : 120) + 'px" onclick="clicks += 1">Buy</button>'; renders += 1 };
      render(); addEventListener('mousemove', () => { if (renders < 5) render() }, true);
    </script>`);
    await bench.act("click", { selector: "text=Buy" });
    expect(await bench.read("clicks")).toBe(1);
  });

  it("swallows a click that would hit something else, and tries again", async () => {
    // At the very press something slides in, the first two times.
    await using bench =
      await harness.open(`<button id=b onclick="hits.push('button')">Pay</button><div id=cover style="position:fixed;inset:0;display:none" onclick="hits.push('cover')">Ad</div><script>
      const hits = []; let shows = 0;
      new MutationObserver(() => {}).observe(document, { subtree: true, childList: true });
      b.addEventListener('mousemove', () => { if (shows++ < 2) requestAnimationFrame(() => requestAnimationFrame(() => { cover.style.display = 'block'; setTimeout(() => cover.style.display = 'none', 120) })) });
    </script>`);
    await bench.act("click", { selector: "text=Pay" });
    expect(await bench.read("hits")).toEqual(["button"]);
  });

  it("sends a click again only if Chrome has dropped it, and fails where it always does", async () => {
    await using bench = await harness.open(`${COUNTER}<button onclick="count()">Pay</button><select><option>x</select>`);
    const chrome = await bench.page.createCDPSession();
    const ignore = (ignoring: boolean) => chrome.send("Input.setIgnoreInputEvents", { ignore: ignoring });
    let sent = 0;
    const dropping = (times: number) => ({ observe: { log() {}, found() {}, input: () => ignore(++sent <= times).then(() => {}) } });
    await bench.act("click", { selector: "text=Pay" }, dropping(2));
    expect([sent, await bench.read("clicks")]).toEqual([3, 1]);
    sent = 0;
    const failed = bench.act("click", { selector: "text=Pay" }, dropping(9));
    await expect(failed).rejects.toThrow(
      "Cannot click text=Pay: the click was sent and the element did not get it: Chrome has dropped it, 3 times",
    );
    await expect(failed).rejects.toMatchObject({ code: "STEP_FAILED", dispatched: true });
    await ignore(false);
    sent = 0;
    for (let i = 0; i < 3; i += 1) await bench.act("click", { selector: "select" }, dropping(0)); // its list opens and closes: a window of its own
    await bench.act("click", { selector: "text=Pay" }, dropping(0));
    expect([sent, await bench.read("clicks")]).toEqual([4, 2]);
  });

  it("fails in words that list each candidate", async () => {
    await using bench = await harness.open(`<p hidden>Save</p>`);
    const failed = bench.act("click", { selector: { primary: "#gone", fallbacks: ["text=Save"] }, timeout_ms: 1_500 });
    await expect(failed).rejects.toThrow("Cannot click #gone: nothing matches; text=Save: one match, hidden (for 1.5 s)");
  });

  it("says at once that the browser refuses a selector", async () => {
    await using bench = await harness.open("<p>x</p>");
    const failed = bench.act("click", { selector: "p:-nope(" + "1)" });
    await expect(failed).rejects.toThrow("Cannot click p:-nope(1): it is not a valid selector");
    await expect(bench.act("click", { selector: "//nope:p" })).rejects.toThrow("Cannot click //nope:p: it is not a valid selector");
  });

  it("gives the primary its time, and then takes the fallback", async () => {
    await using bench = await harness.open(`${COUNTER}<button id=b onclick="count()">Old</button><div id=late></div>
      <script>setTimeout(() => late.innerHTML = '<button onclick="clicks += 10">New</button>', 400)</script>`);
    await bench.act("click", { selector: { primary: "text=New", fallbacks: ["#b"] } });
    expect(await bench.read("clicks")).toBe(10);
    const start = performance.now();
    await bench.act("click", { selector: { primary: "text=Renamed", fallbacks: ["text=Nor this", "#b"] } });
    expect(await bench.read("clicks")).toBe(11);
    expect(performance.now() - start).toBeGreaterThan(1_550);
    expect(bench.logs.at(-1)).toBe('Found by fallback 2: #b → <button id="b">Old');
  });
});
