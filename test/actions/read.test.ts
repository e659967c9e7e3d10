/** select, extract, evaluate, scroll and wait_for. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, type Harness, openHarness } from "./harness.ts";

describe("actions that read, choose and wait", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await openHarness();
  });
  afterAll(async () => {
    await shared?.[Symbol.asyncDispose]();
    await harness?.[Symbol.asyncDispose]();
  });
  let shared: Bench | null = null;
  /** One page for all scripts that leave nothing behind. */
  const evaluating = async (): Promise<Bench> => {
    shared ??= await harness.open("<title>T</title>", { "/data": (_, response) => void response.end('{"n":7}') });
    return shared;
  };

  it("selects by value and by label, one option only, with events", async () => {
    await using bench =
      await harness.open(`<label id=l>Country <select id=s><option value=de>Germany<optgroup label=More><option value=fr>  France  <option value=xx disabled>Nowhere</optgroup></select></label>
      <select id=m multiple><option value=1 selected>One<option value=2 selected>Two<option value=3>Three</select><script>l2 = []; s.oninput = s.onchange = (e) => l2.push(e.type + ' ' + s.value)</script>`);
    await expect(bench.act("select", { selector: "#s", label: "france" })).resolves.toMatchObject({ text: "fr", dispatched: true });
    await expect(bench.act("select", { selector: "#l", value: "de" })).resolves.toMatchObject({ text: "de" });
    await bench.act("select", { selector: "#m", value: "3" });
    expect(await bench.read("[l2, [...m.selectedOptions].map((o) => o.value)]")).toEqual([
      ["input fr", "change fr", "input de", "change de"],
      ["3"],
    ]);
    await expect(bench.act("select", { selector: "#s", value: "it", timeout_ms: 500 })).rejects.toThrow(
      '#s: it has no such option; it has "de", "fr", "xx" (for 0.5 s)',
    );
    await expect(bench.act("select", { selector: "#s", label: "Italy", timeout_ms: 500 })).rejects.toThrow(
      'it has "Germany", "France", "Nowhere"',
    );
    await expect(bench.act("select", { selector: "#s", value: "xx", timeout_ms: 500 })).rejects.toThrow("that option is disabled");
    await expect(bench.act("select", { selector: "script, body", value: "x" })).rejects.toThrow("it is not a <select>");
  });

  it("waits for an option that is still to be loaded", async () => {
    await using bench = await harness.open(
      `<select id=s><option>Loading…</select><script>setTimeout(() => s.innerHTML = '<option value=7>Seven', 300)</script>`,
    );
    await expect(bench.act("select", { selector: "#s", label: "Seven" })).resolves.toMatchObject({ text: "7" });
  });

  it("extracts what is shown, the source, a value, or markdown", async () => {
    await using bench =
      await harness.open(`<div id=a><h2>Order 7</h2><p>Total: <b>12 €</b><span hidden>secret</span></p><script>1</script><style>p{}</style><a href="/x?y=1">more</a>
      <table><tr><th>Item<th>Qty<tr><td>A | B<td>2</table><ul><li>one<li>two</ul><input value=typed><img alt=logo src=/logo.png></div>
      <p hidden id=h class=d>hidden</p><p class=d>shown</p><input id=v value=start><input type=hidden id=hv value=token><select id=s><option value=1>One</select>
      <div id=host></div><script>host.attachShadow({mode:'open'}).innerHTML = '<style>b{}</style><p>In the <b>shadow</b></p><p>twice</p>'; v.value = 'now'</script>`);
    const extract = async (selector: string, mode = "text") => (await bench.act("extract", { selector, mode })).text;
    expect(await extract("#a h2")).toBe("Order 7");
    expect(await extract(".d")).toBe("shown");
    expect(await extract("#a p", "html")).toBe('<p>Total: <b>12 €</b><span hidden="">secret</span></p>');
    expect(await extract("#v", "value")).toBe("now");
    expect(await extract("#hv", "value")).toBe("token");
    expect(await extract("#s", "value")).toBe("1");
    expect(await extract("#s")).toBe("One");
    expect(await extract("#host")).toBe("In the shadow\ntwice");
    expect(await extract("#a", "markdown")).toBe(
      `## Order 7\n\nTotal: **12 €**\n\n[more](${harness.site.url}/x?y=1)\n\n| Item | Qty |\n| --- | --- |\n| A \\| B | 2 |\n\n-   one\n-   two\n\ntyped![logo](${harness.site.url}/logo.png)`,
    );
    await expect(bench.act("extract", { selector: "#nope", timeout_ms: 500 })).rejects.toThrow("Cannot extract #nope: nothing matches");
    await expect(bench.act("extract", { selector: "h2", mode: "value" })).rejects.toThrow("it has no value");
  });

  it("cuts what is too long, and says so", async () => {
    await using bench = await harness.open(`<pre id=a></pre><script>a.textContent = 'x'.repeat(300000)</script>`);
    const { text } = await bench.act("extract", { selector: "#a" });
    expect(text).toHaveLength(200_000 + "\n… (cut at 200000 characters)".length);
    expect(text).toMatch(/… \(cut at 200000 characters\)$/);
  });

  it("chooses, sets and scrolls once, also while the last action is still at work", async () => {
    await using bench = await harness.open(
      `<button onclick="fetch('/slow').then(() => done = true)">Go</button><select onchange="told.push('select')"><option>One<option>Two</select><input type=date onchange="told.push('date')">
      <div id=d style="height:50px;overflow:auto"><p style="height:2000px">x</p></div><script>const told = []; let done = false</script>`,
      { "/slow": (_, response) => void setTimeout(() => response.end("x"), 300) },
    );
    for (const [name, given] of [
      ["select", { selector: "select", label: "Two" }],
      ["key_press", { selector: "input", text: "2026-02-28" }],
      ["scroll", { selector: "#d", amount: 100 }],
    ] as const) {
      await bench.read("done = false");
      await bench.act("click", { selector: "text=Go" });
      await bench.act(name, given);
      expect([name, await bench.read("done")]).toEqual([name, true]);
    }
    expect(await bench.read("[told, d.scrollTop]")).toEqual([["select", "date"], 100]);
  });

  it("runs a script once, whatever becomes of it", async () => {
    let orders = 0;
    await using bench = await harness.open("<p>x</p>", {
      "/cancel": (_, response) => {
        orders += 1;
        response.writeHead(200, { "Content-Type": "text/html" }).end("<h1>Sign in</h1>");
      },
    });
    const post = "fetch('/cancel', { method: 'POST' })";
    for (const expression of [
      `${post}.then((answer) => answer.json())`,
      `async () => { const answer = await ${post}; return await answer.json() }`,
      `const answer = await ${post}; return JSON.parse(await answer.text())`,
    ]) {
      orders = 0;
      await expect(bench.act("evaluate", { expression })).rejects.toThrow("Cannot evaluate: SyntaxError: Unexpected token");
      expect([expression, orders]).toEqual([expression, 1]);
    }
  });

  it("takes no result of a script that is too long: half of a value is none", async () => {
    await using bench = await harness.open("<p>x</p>");
    await expect(bench.act("evaluate", { expression: "'x'.repeat(200001)" })).rejects.toThrow(
      "Cannot evaluate: the result has 200001 characters, of 200000 at most",
    );
    await expect(bench.act("evaluate", { expression: "'x'.repeat(200000)" })).resolves.toMatchObject({ text: "x".repeat(200_000) });
  });

  it.each([
    ["1 + 1", "2"],
    ["'plain'", "plain"],
    ["document.title", "T"],
    ["({ a: [1, null, { b: undefined, c: () => 1 }], d: new Date(0) })", '{"a":[1,null,{}],"d":"1970-01-01T00:00:00.000Z"}'],
    ["fetch('/data').then((r) => r.json())", '{"n":7}'],
    ["const n = params.order + 1; return { n }", '{"n":8}'],
    ["() => params.name", "Ada"],
    ["(p) => p.order", "7"],
    ["async () => { await null; return [params.flag] }", "[true]"],
    ["undefined", null],
    ["null", "null"],
    ["[NaN, -0, Infinity]", "[null,0,null]"],
    ["(() => { const x = { y: 1 }; return [x, x] })()", '[{"y":1},{"y":1}]'],
    ["window.own = 3, own // a comment", "3"],
  ])("evaluates %s", async (expression, text) => {
    const bench = await evaluating();
    await expect(bench.act("evaluate", { expression }, { values: { order: 7, name: "Ada", flag: true } })).resolves.toMatchObject({ text });
  });

  it.each([
    ["document.body", "the result is a DOM node"],
    ["({ a: [window] })", "the result.a[0] is the window"],
    ["10n", "the result is a BigInt"],
    ["new Map()", "the result is a map"],
    ["(() => { const a = {}; a.self = a; return a })()", "the result.self contains itself"],
    ["nope.x", "ReferenceError: nope is not defined"],
    ["(() => { throw new TypeError('wrong') })()", "TypeError: wrong"],
    ["Promise.reject(new Error('late'))", "Error: late"],
    ["(() => { throw { code: 7 } })()", "Cannot evaluate"],
    ["1 +", "SyntaxError"],
  ])("says why %s gives nothing", async (expression, reason) => {
    const bench = await evaluating();
    await expect(bench.act("evaluate", { expression })).rejects.toThrow(reason);
  });

  it("cuts off a script that does not end, and the page lives on", async () => {
    await using bench = await harness.open("<p>x</p>");
    const failed = bench.act("evaluate", { expression: "(() => { while (true) {} })()", timeout_ms: 500 });
    await expect(failed).rejects.toThrow("Cannot evaluate on the page: the page did not come back from it (for 0.5 s)");
    await expect(bench.act("evaluate", { expression: "new Promise(() => {})", timeout_ms: 500 })).rejects.toMatchObject({
      dispatched: true,
    });
    await expect(bench.act("evaluate", { expression: "6 * 7" })).resolves.toMatchObject({ text: "42" });
  });

  it("scrolls the page, the part that scrolls, or an element, up to the end", async () => {
    await using bench = await harness.open(`<style>html { scroll-behavior: smooth }</style><div style="height:2000px">long</div>`);
    await expect(bench.act("scroll", { amount: 500 })).resolves.toMatchObject({ text: null });
    await bench.act("scroll", { direction: "up", amount: 100 });
    expect(await bench.read("scrollY")).toBe(400);
    await bench.act("scroll", { amount: 50_000 });
    await expect(bench.act("scroll", {})).resolves.toMatchObject({ text: "at end" });
    await bench.page.setContent(
      `<style>body{margin:0;overflow:hidden}</style><nav style="height:100px;width:50px;overflow:auto"><p style="height:900px"></p></nav><main id=m style="height:300px;overflow:auto"><p style="height:2000px"><b id=b>in</b></p></main>`,
    );
    await bench.act("scroll", { amount: 200 });
    await bench.act("scroll", { amount: 50, selector: "#b" });
    await expect(bench.act("scroll", { amount: 10, direction: "right", selector: "#b" })).resolves.toMatchObject({ text: "at end" });
    expect(await bench.read("m.scrollTop")).toBe(250);
  });

  it("waits for each of the four states, in time", async () => {
    await using bench = await harness.open(`<p id=a hidden>x</p><p id=b>y</p><p id=c>z</p><script>
      setTimeout(() => { a.hidden = false; b.style.display = 'none'; c.remove(); document.body.insertAdjacentHTML('beforeend', '<i id=d hidden>')}, 250)</script>`);
    await Promise.all([]);
    await bench.act("wait_for", { selector: "#a" });
    await bench.act("wait_for", { selector: "#b", state: "hidden" });
    await bench.act("wait_for", { selector: "#c", state: "detached" });
    await bench.act("wait_for", { selector: "#d", state: "attached" });
    await bench.act("wait_for", { selector: "#never-was", state: "hidden" });
    await expect(bench.act("wait_for", { selector: "#d", timeout_ms: 500 })).rejects.toThrow(
      "Cannot wait for #d: one match, hidden (for 0.5 s)",
    );
    await expect(bench.act("wait_for", { selector: "#b", state: "detached", timeout_ms: 500 })).rejects.toThrow(
      '#b: <p id="b">y is still there (for 0.5 s)',
    );
    await expect(
      bench.act("wait_for", { selector: { primary: "#nope", fallbacks: ["#a"] }, state: "hidden", timeout_ms: 500 }),
    ).rejects.toThrow('#a: <p id="a">x is still visible');
  });
});
