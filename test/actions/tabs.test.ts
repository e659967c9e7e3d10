import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { perform } from "../../pool/actions/perform.ts";
import { openTabs } from "../../pool/actions/tabs.ts";
import { checkVerify } from "../../pool/actions/verify-page.ts";
import type { Action } from "../../shared/action.ts";
import { VerifySchema } from "../../shared/playbook.ts";
import { freePort } from "../support/system.ts";
import { type Harness, html, openHarness } from "./harness.ts";

describe("tabs", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await openHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  const POPUPS = `<button onclick="window.open('/popup')">window.open</button> <a href="/popup" target=_blank>target blank</a>
    <button onclick="window.open('/popup', '_blank', 'noopener,width=300,height=200')">noopener</button> <a href="/popup" target=named>named</a>
    <form action="/popup" target=_blank><button>form</button></form> <button onclick="setTimeout(() => window.open('/popup'))">a moment later</button>`;

  it.each(["window.open", "target blank", "noopener", "named", "form", "a moment later"])(
    "goes on in the tab that a click opened by %s, and comes back",
    async (name) => {
      await using bench = await harness.open(POPUPS, {
        "/popup": (_, response) =>
          void setTimeout(
            () =>
              html(
                response,
                `<h1>Popup</h1><button onclick="window.close()">Close</button><script>size = [innerWidth, innerHeight]</script>`,
              ),
            100,
          ),
      });
      await bench.act("click", { selector: `text="${name}"` });
      await expect(bench.act("extract", { selector: "h1" })).resolves.toMatchObject({ text: "Popup" });
      expect(bench.tabs.url()).toContain("/popup");
      expect(bench.tabs.active()).not.toBe(bench.page);
      expect(await bench.read("[innerWidth, innerHeight]")).toEqual([1280, 720]);
      await bench.act("click", { selector: "text=Close" }).catch(() => {}); // a page that was not opened by script may not close itself
      if (name !== "noopener" && name !== "target blank") {
        await bench.act("click", { selector: `text="${name}"` });
        expect(await bench.tabs.active().$("h1")).not.toBeNull();
      }
    },
  );

  it("is back at the opener once the popup is closed, from whatever side", async () => {
    await using bench = await harness.open(`<h1>Opener</h1><button onclick="w = window.open('/popup')">Open</button>`, {
      "/popup": "<h1>Popup</h1>",
    });
    await bench.act("click", { selector: 'text="Open"' });
    const popup = bench.tabs.active();
    await popup.close();
    await expect(bench.act("extract", { selector: "h1" })).resolves.toMatchObject({ text: "Opener" });
    expect(bench.tabs.active()).toBe(bench.page);
  });

  it("says that the tab which opened shows an error page, of what, and why", async () => {
    const port = await freePort();
    await using bench = await harness.open(`<h1>Opener</h1><a href="http://127.0.0.1:${port}/report?key=k" target=_blank>Report</a>`);
    await using tabs = await openTabs(bench.page, {
      signal: bench.stop.signal,
      viewport: { width: 1280, height: 720 },
      whyUnreached: (url) => (url.port === String(port) ? "ECONNREFUSED" : null),
    });
    await bench.act("click", { selector: "text=Report" });
    const trouble = `the new tab is an error page: http://127.0.0.1:${port}/report: the connection was refused (ECONNREFUSED)`;
    const look = {
      action: "extract",
      selector: { primary: "h1", fallbacks: [], description: null },
      params: { mode: "text" },
      timeout_ms: 1_500,
    };
    await expect(perform(tabs, look as Action, { signal: bench.stop.signal })).rejects.toMatchObject({
      code: "STEP_FAILED",
      message: `Cannot extract h1: nothing matches (for 1.5 s); ${trouble}`,
    });
    const verify = VerifySchema.parse({ expect_element_visible: "h1", timeout_ms: 0 });
    await expect(checkVerify(tabs, verify, { signal: bench.stop.signal })).rejects.toThrow(`the element is not visible (${trouble})`);
    await tabs.active().close();
    await expect(perform(tabs, look as Action, { signal: bench.stop.signal })).resolves.toMatchObject({ text: "Opener" });
  });

  it("brings a tab that opened in the background to the front", async () => {
    await using bench = await harness.open(`<a href="/two">Two</a>`, {
      "/two": '<h1>Two</h1><button onclick="state = document.visibilityState">Go</button>',
    });
    await bench.act("click", { selector: "text=Two", button: "middle" });
    await bench.act("wait_for", { selector: "h1" });
    await bench.act("click", { selector: "text=Go" });
    expect(await bench.read("state")).toBe("visible");
  });

  it("says what it is waiting for when a document does not come", async () => {
    await using bench = await harness.open(`<a href="/slow">Slow</a>`, { "/slow": () => {} });
    const clicking = bench.act("click", { selector: "text=Slow" }).catch(() => {});
    await bench.page.waitForRequest(`${harness.site.url}/slow`);
    await expect(bench.act("extract", { selector: "h1", timeout_ms: 500 })).rejects.toThrow(
      "Cannot extract h1: the next document has not come yet (for 0.5 s)",
    );
    bench.stop.abort();
    await clicking;
  });

  it("says so when every tab is closed", async () => {
    await using bench = await harness.open("<p>x</p>");
    await bench.page.close();
    await expect(bench.act("click", { selector: "p" })).rejects.toThrow("Every tab is closed");
    expect(bench.tabs.url()).toBe("about:blank");
  });

  it("answers every kind of dialog, on the page and on popups, from their first script on", async () => {
    await using bench = await harness.open(
      `<button onclick="alert('saved'); answers = [confirm('sure?'), prompt('name?', 'x')]">Ask</button> <button onclick="window.open('/popup')">Open</button><script>addEventListener('beforeunload', (e) => e.preventDefault())</script>`,
      { "/popup": "<script>alert('at once')</script><h1>Popup</h1>" },
    );
    await bench.act("click", { selector: "text=Ask" });
    expect(await bench.read("answers")).toEqual([true, null]);
    await bench.act("click", { selector: "text=Open" });
    await expect(bench.act("extract", { selector: "h1" })).resolves.toMatchObject({ text: "Popup" });
    await bench.tabs.active().close();
    await bench.act("goto", { url: "about:blank" });
    expect(bench.dialogs.map(({ type, message, accepted }) => [type, message, accepted])).toEqual([
      ["alert", "saved", true],
      ["confirm", "sure?", true],
      ["prompt", "name?", false],
      ["alert", "at once", true],
      ["beforeunload", "", true],
    ]);
  });

  it("tells of each page, and sets the viewport", async () => {
    await using bench = await harness.open("<button onclick=\"window.open('/popup')\">Open</button>", { "/popup": "<h1>Popup</h1>" });
    const pages: unknown[] = [];
    await using tabs = await openTabs(bench.page, {
      signal: bench.stop.signal,
      viewport: { width: 900, height: 500 },
      onPage: (page) => void pages.push(page),
    });
    expect(bench.page.viewport()).toMatchObject({ width: 900, height: 500 });
    await bench.act("click", { selector: "text=Open" });
    await tabs.ready(bench.stop.signal);
    expect(pages).toEqual([bench.page, tabs.active()]);
  });

  it("gives up at once when the run is stopped, whatever the page is doing", async () => {
    await using bench = await harness.open(`<p id=p>x</p><button onclick="while (true) {}">Hang</button>`, { "/slow": () => {} });
    const reason = new Error("stopped");
    const waits = [
      bench.act("wait_for", { selector: "#never", timeout_ms: 20_000 }),
      bench.act("goto", { url: `${harness.site.url}/slow` }),
      bench.act("click", { selector: "text=Hang", timeout_ms: 20_000 }),
      bench.tabs.settled(bench.stop.signal),
    ].map((each) => each.catch((error: unknown) => error));
    await bench.page.waitForRequest(`${harness.site.url}/slow`);
    const start = performance.now();
    bench.stop.abort(reason);
    for (const outcome of await Promise.all(waits)) if (outcome !== undefined) expect(outcome).toBe(reason);
    expect(performance.now() - start).toBeLessThan(10_000); // each would wait for 20 s
    await expect(bench.act("click", { selector: "#p" })).rejects.toBe(reason);
  });

  it("may be closed by the action itself; the next is for the tab that opened it", async () => {
    await using bench = await harness.open(`<h1>First</h1><button onclick="window.open('/second')">Pop</button>`, {
      "/second": "<h1>Second</h1>",
    });
    await bench.act("click", { selector: "text=Pop" });
    await expect(bench.act("extract", { selector: "h1" })).resolves.toMatchObject({ text: "Second" });
    await bench
      .act("evaluate", { expression: "(window.close(), 1)" })
      .catch((error: unknown) => expect(error).toMatchObject({ code: "STEP_FAILED" }));
    await expect(bench.act("extract", { selector: "h1" })).resolves.toMatchObject({ text: "First" });
  });
});
