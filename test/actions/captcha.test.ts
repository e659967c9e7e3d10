import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCaptchaWatch } from "../../pool/actions/captcha.ts";
import type { Tabs } from "../../pool/actions/tabs.ts";
import { AppError } from "../../shared/errors.ts";
import { gate, type Harness, openHarness } from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

const SHORT = { blockingMs: 100, widgetMs: 100 };
const LONG = { blockingMs: 20_000, widgetMs: 20_000 };

describe("a captcha", () => {
  it("is none on a page without one, with an invisible one, or with a hidden one", async () => {
    await using bench = await harness.open(
      `<h1>Fine</h1><div class="g-recaptcha" data-size="invisible">x</div><div class="h-captcha" hidden>x</div>`,
    );
    expect(await createCaptchaWatch(bench.tabs, SHORT).check(bench.stop.signal)).toBeNull();
  });

  it("is not looked for where the page hangs: what is known already is said at once", async () => {
    await using bench = await harness.open("<h1>Fine</h1>");
    const watch = createCaptchaWatch(bench.tabs, SHORT);
    await watch.check(bench.stop.signal);
    bench.read("(() => { for (;;); })()").catch(() => {}); // ends with the page
    const error = new AppError("STEP_FAILED", "The button did nothing");
    expect(await watch.explain(error, bench.stop.signal)).toBe(error);
    expect(await watch.check(bench.stop.signal)).toBeNull();
  });

  it("that blocks the page is waited for, and said to have let us through", async () => {
    const { opened, open } = gate();
    const script = `<script>fetch("/go").then(() => location.replace("/in"))</script>`;
    await using bench = await harness.open(`<form id="challenge-form">Checking…</form>${script}`, {
      "/in": "<h1>In</h1>",
      "/go": async (_request, response) => {
        await opened;
        response.end();
      },
    });
    let looks = 0;
    const ready = (signal: AbortSignal) => {
      looks += 1;
      if (looks === 2) open(); // it was seen
      return bench.tabs.ready(signal);
    };
    const watch = createCaptchaWatch({ ready } as Tabs, LONG);
    expect(await watch.check(bench.stop.signal)).toBe("Cloudflare's check was on the page, and has let us through");
    await bench.act("wait_for", { selector: "h1" }); // the check's document goes before we hear of the next one
    expect(bench.tabs.url()).toContain("/in");
  });

  it("that does not let the browser through ends the run", async () => {
    await using bench = await harness.open(`<form id="challenge-form">Checking…</form>`);
    await expect(createCaptchaWatch(bench.tabs, SHORT).check(bench.stop.signal)).rejects.toMatchObject({ code: "CAPTCHA_FAILED" });
  });

  it("that is a part of the page is waited for once, remarked on, and explains why the run failed", async () => {
    await using bench = await harness.open(
      `<div class="cf-turnstile">Are you there?<input type="hidden" name="cf-turnstile-response"></div>`,
    );
    const watch = createCaptchaWatch(bench.tabs, SHORT);
    expect(await watch.check(bench.stop.signal)).toBe("Turnstile on this page is not solved");
    expect(await createCaptchaWatch(bench.tabs, LONG).explain(new AppError("TIMEOUT", "Late"), bench.stop.signal)).toMatchObject({
      code: "TIMEOUT",
    });
    const error = new AppError("STEP_FAILED", "Step 2 (Log in): it is covered", { details: { step: 1 } });
    expect(await watch.explain(error, bench.stop.signal)).toMatchObject({
      code: "CAPTCHA_FAILED",
      message: "Turnstile on the page is not solved: Step 2 (Log in): it is covered",
      details: { step: 1, captcha: "Turnstile" },
    });
    await bench.read("document.querySelector('input').value = 'solved'");
    expect(await watch.check(bench.stop.signal)).toBeNull();
    expect(await watch.explain(error, bench.stop.signal)).toBe(error);
  });
});
