import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkVerify } from "../../pool/actions/verify-page.ts";
import { VerifySchema } from "../../shared/playbook.ts";
import { type Bench, type Harness, openHarness } from "./harness.ts";

describe("verification", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await openHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  const check = (bench: Bench, verify: object) => checkVerify(bench.tabs, VerifySchema.parse(verify), { signal: bench.stop.signal });

  it("passes as soon as all of it holds", async () => {
    await using bench = await harness.open(`<p id=spin>Loading</p><h1 hidden>Order  <b>12</b> was&nbsp;cancelled</h1><script>
      setTimeout(() => { history.pushState({}, '', '/orders/12?done=1'); spin.remove(); document.querySelector('h1').hidden = false }, 250)</script>`);
    await check(bench, {
      expect_url_contains: "/orders/12",
      expect_element_visible: "h1",
      expect_element_gone: "#spin",
      expect_text_on_page: "order 12 was CANCELLED",
    });
  });

  it("finds text in frames, and quotes and slashes in it are text", async () => {
    await using bench = await harness.open(`<iframe src="/inner"></iframe>`, { "/inner": `<p>"50/50" /ok/</p>` });
    await check(bench, { expect_text_on_page: '"50/50" /ok/' });
  });

  it("runs on the newest tab", async () => {
    await using bench = await harness.open(`<button onclick="window.open('/popup')">Open</button>`, { "/popup": "<h1>Popup</h1>" });
    await bench.act("click", { selector: "text=Open" });
    await check(bench, { expect_url_contains: "/popup", expect_text_on_page: "popup" });
  });

  it.each([
    [{ expect_url_contains: "/nope" }, 'the URL does not contain "/nope"'],
    [
      { expect_element_visible: { primary: "#a", fallbacks: ["#b"] } },
      "the element is not visible (#a: one match, hidden; #b: nothing matches)",
    ],
    [{ expect_element_gone: "p" }, "the element is still there (p: <p>here is still visible)"],
    [{ expect_text_on_page: "Saved" }, 'the text "Saved" is not on the page (text=Saved: one match, hidden)'],
    [{ expect_element_visible: "p:-nope()" }, "it is not a valid selector"],
  ])("fails in words: %j", async (verify, words) => {
    await using bench = await harness.open("<p>here</p><i id=a hidden>Saved</i>");
    const failed = check(bench, { ...verify, timeout_ms: 1_000 });
    await expect(failed).rejects.toThrow(`Verification failed: `);
    await expect(failed).rejects.toThrow(words);
    await expect(failed).rejects.toMatchObject({ code: "STEP_FAILED" });
  });

  it("looks once with a limit of 0", async () => {
    await using bench = await harness.open("<p>here</p>");
    await check(bench, { expect_text_on_page: "here", expect_element_visible: "p", expect_url_contains: "127.0.0.1", timeout_ms: 0 });
    await expect(check(bench, { expect_text_on_page: "there", timeout_ms: 0 })).rejects.toThrow("Verification failed");
  });

  it("ends at once with the run's reason", async () => {
    await using bench = await harness.open("<p>here</p>");
    const reason = new Error("stopped");
    const checking = check(bench, { expect_text_on_page: "never", timeout_ms: 20_000 });
    bench.stop.abort(reason);
    await expect(checking).rejects.toBe(reason);
  });
});
