/** Ordinary single-page dashboards: steps in a row, and no waits between them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gate, type Harness, html, openHarness } from "./harness.ts";

describe("settling", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await openHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  const text = async (bench: Awaited<ReturnType<Harness["open"]>>, selector: string) => (await bench.act("extract", { selector })).text;

  it.each([0, 500])(
    "reads the rows of a search that starts a moment after typing, where the page takes %i ms for a key",
    async (busyMs) => {
      await using bench = await harness.open(
        `<input id=q><ul id=list><li>Order 1<li>Order 2<li>Order 12</ul><script>
        let timer; q.oninput = () => { clearTimeout(timer); for (const end = performance.now() + ${busyMs}; performance.now() < end; ); timer = setTimeout(async () => {
          const rows = await (await fetch('/search?q=' + q.value)).json(); list.innerHTML = rows.map((r) => '<li>' + r).join('') }, 300) }
      </script>`,
        { "/search": (_, response) => void setTimeout(() => response.end('["Order 12"]'), 150) },
      );
      await bench.act("key_press", { selector: "#q", text: "12" });
      expect(await text(bench, "li")).toBe("Order 12");
    },
  );

  it("does not take the old row while the list that replaces it is loading", async () => {
    const answer = gate();
    await using bench = await harness.open(
      `<button onclick="load()">Open orders</button><table id=t><tr><td>All orders</td><td><button onclick="got = 'old'">Cancel</button></td></tr></table><script>
        let got; async function load() { const row = await (await fetch('/rows')).text(); t.innerHTML = row }
      </script>`,
      {
        "/rows": async (_, response) => {
          await answer.opened;
          response.end(`<tr><td>Open</td><td><button onclick="got = 'new'">Cancel</button></td></tr>`);
        },
      },
    );
    await bench.act("click", { selector: "text=Open orders" });
    const clicking = bench.act("click", { selector: "role=button[name='Cancel']" });
    answer.open();
    await clicking;
    expect(await bench.read("got")).toBe("new");
  });

  it("follows a chain of requests: save, then reload", async () => {
    await using bench = await harness.open(
      `<button onclick="save()">Save</button><p id=p>3 items</p><script>
        async function save() { await fetch('/save', { method: 'POST' }); p.textContent = await (await fetch('/count')).text() }
      </script>`,
      {
        "/save": (_, response) => void setTimeout(() => response.end(), 100),
        "/count": (_, response) => void setTimeout(() => response.end("4 items"), 100),
      },
    );
    await bench.act("click", { selector: "text=Save" });
    expect(await text(bench, "#p")).toBe("4 items");
  });

  it("waits out skeletons, spinners and buttons that are enabled late", async () => {
    await using bench = await harness.open(
      `<div id=root><div class="skeleton-row" style="width:200px;height:20px"></div></div><script>
        (async () => {
          const rows = await (await fetch('/rows')).json();
          root.innerHTML = '<ul>' + rows.map((r) => '<li>' + r).join('') + '</ul><button id=go disabled>Continue</button><div id=busy role=progressbar style="width:9px;height:9px"></div>';
          setTimeout(() => { go.disabled = false; busy.remove(); go.onclick = () => { root.innerHTML = '<p>Loading…</p>'; setTimeout(() => root.innerHTML = '<h1>Done</h1>', 1200) } }, 300);
        })();
      </script>`,
      { "/rows": (_, response) => void setTimeout(() => response.end('["One","Two"]'), 400) },
    );
    expect(await text(bench, "li")).toBe("One");
    await bench.act("click", { selector: "text=Continue" });
    await bench.act("click", { selector: { primary: "h1", fallbacks: ["p"] } });
    expect(bench.logs.at(-1)).toBe("Found: h1 → <h1>Done");
  });

  it("follows route changes and links, however they navigate", async () => {
    await using bench = await harness.open(
      `<a href="/two">Two</a><button onclick="history.pushState({}, '', '/route'); setTimeout(() => document.body.innerHTML = '<h1>Route</h1><form action=/three><button>Send</button></form>', 100)">Route</button>`,
      {
        "/two": (_, response) =>
          void setTimeout(
            () => html(response, `<h1>Two</h1><button onclick="setTimeout(() => location.href = '/three', 50)">Later</button>`),
            200,
          ),
        "/three": (_, response) => void setTimeout(() => html(response, "<h1>Three</h1>"), 200),
      },
    );
    await expect(bench.act("click", { selector: "text=Route" })).resolves.toMatchObject({ url: `${harness.site.url}/route` });
    await expect(bench.act("click", { selector: "text=Send" })).resolves.toMatchObject({ url: `${harness.site.url}/three?` });
    expect(await text(bench, "h1")).toBe("Three");
    await bench.act("goto", { url: harness.site.url });
    await expect(bench.act("click", { selector: "text=Two" })).resolves.toMatchObject({ url: `${harness.site.url}/two` });
    await bench.act("click", { selector: "text=Later" });
    await bench.act("wait_for", { selector: "text=Three" });
    expect(bench.tabs.url()).toBe(`${harness.site.url}/three`);
  });

  it("signs in: a form that answers by script, and goes on", async () => {
    await using bench = await harness.open(
      `<form onsubmit="event.preventDefault(); send()"><input id=user><input id=pass type=password><button>Sign in</button></form><script>
        async function send() { await fetch('/login', { method: 'POST' }); location.href = '/home' }
      </script>`,
      {
        "/login": (_, response) => void setTimeout(() => response.end(), 150),
        "/home": (_, response) => void setTimeout(() => html(response, "<h1>Welcome</h1><input id=user value=ada>"), 150),
      },
    );
    await bench.act("key_press", { selector: "#user", text: "ada" });
    await bench.act("key_press", { selector: "#pass", text: "pw", key: "Enter" });
    expect((await bench.act("extract", { selector: "#user", mode: "value" })).text).toBe("ada");
    expect(await text(bench, "h1")).toBe("Welcome");
  });

  it("is not held up by event streams, sockets, beacons and pictures, and for about two seconds by a request that never ends", async () => {
    const never = () => {};
    await using bench = await harness.open(
      `<button onclick="go()">Go</button><button onclick="fetch('/ask')">Ask</button><p>still here</p><script>
        function go() { new EventSource('/events'); navigator.sendBeacon('/beacon', 'x'); new Image().src = '/picture'; new WebSocket('ws://' + location.host + '/socket'); fetch('/stream') }
      </script>`,
      {
        "/events": (_, response) => void response.writeHead(200, { "Content-Type": "text/event-stream" }).write(":\n\n"),
        "/stream": (_, response) => void response.writeHead(200, { "Content-Type": "text/event-stream" }).write("data: 1\n\n"),
        "/beacon": never,
        "/picture": never,
        "/socket": never,
        "/ask": never,
      },
    );
    const clickAndRead = async (button: string) => {
      await bench.act("click", { selector: `text=${button}` });
      const start = performance.now();
      expect(await text(bench, "p")).toBe("still here");
      return performance.now() - start;
    };
    const tookMs = await clickAndRead("Go");
    expect(tookMs).toBeLessThan(await clickAndRead("Ask")); // a request that counts holds the reading up for two seconds
  });

  it("waits for nothing that the page does by itself", async () => {
    await using bench = await harness.open(
      `<p>here</p><button onclick="n = 1">Go</button><script>setInterval(() => fetch('/poll'), 400)</script>`,
      { "/poll": () => {} },
    );
    await bench.act("wait_for", { selector: "p" });
    const start = performance.now();
    for (let i = 0; i < 6; i += 1) await bench.act("click", { selector: "text=Go" });
    expect(performance.now() - start).toBeLessThan(12_000); // each would wait its two seconds for what is never answered
  });

  it("tells when all is done: tabs.settled()", async () => {
    const answer = gate();
    await using bench = await harness.open(`<button onclick="fetch('/x').then(() => document.title = 'done')">Go</button>`, {
      "/x": async (_, response) => {
        await answer.opened;
        response.end();
      },
    });
    await bench.act("click", { selector: "text=Go" });
    const settled = bench.tabs.settled(bench.stop.signal);
    answer.open();
    await settled;
    expect(await bench.read("document.title")).toBe("done");
  });
});
