/** The example playbooks, run for real: every action through pool/actions, on the demo dashboard in Chrome. */
import { readFileSync } from "node:fs";
import type { Page } from "puppeteer-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { perform } from "../../pool/actions/perform.ts";
import { openTabs } from "../../pool/actions/tabs.ts";
import { checkVerify } from "../../pool/actions/verify-page.ts";
import { bindPlaybook } from "../../pool/playbook/bind.ts";
import { composeTyped } from "../../pool/playbook/bind-step.ts";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import { runPlaybook } from "../../pool/playbook/runner.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import { pause } from "../../shared/deadline.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { DEMO_USER, openDashboard } from "../fixtures/dashboard/dashboard.ts";
import { openChrome } from "../support/chrome.ts";

let chrome: Awaited<ReturnType<typeof openChrome>>;
let dashboard: Awaited<ReturnType<typeof openDashboard>>;
let page: Page;
beforeAll(async () => {
  chrome = await openChrome();
  dashboard = await openDashboard({ slowMs: 20 });
});
beforeEach(async () => {
  dashboard.state.reset();
  const context = await chrome.browser.createBrowserContext();
  page = await context.newPage();
});
afterAll(async () => {
  await chrome?.[Symbol.asyncDispose]();
  await dashboard?.[Symbol.asyncDispose]();
});

type Params = Record<string, string | number>;
type Credentials = Record<string, string>;
const example = (name: string) => readFileSync(new URL(`../../examples/${name}.yaml`, import.meta.url), "utf8");

/** Verifications that are going to fail need not take their five seconds. */
const impatient = (source: string) => source.replace(/^( +)verify:\n/gm, "$1verify:\n$1  timeout_ms: 400\n");

async function run(source: string, params: Params = {}, credentials: Credentials = DEMO_USER) {
  const bound = bindPlaybook(parsePlaybook(source), { params, credentialNames: Object.keys(credentials) });
  const { signal } = new AbortController();
  await using tabs = await openTabs(page, { signal, viewport: { width: 1280, height: 720 } });
  const credential = (name: string) => new SecretValue(name, credentials[name] as string);
  if (bound.start_url)
    await perform(tabs, { action: "goto", selector: null, params: { url: bound.start_url }, timeout_ms: null }, { signal });
  return await runPlaybook(bound, {
    act: (action, { values, typed }) =>
      perform(tabs, action, { signal, values, credential: typed ? () => composeTyped(typed, credential) : credential }),
    verify: (verify) => checkVerify(tabs, verify, { signal }),
    recover: () => Promise.reject(new Error("No model")),
    answer: () => Promise.reject(new Error("No model")),
    onStep: () => {},
    onResult: () => {},
    pause: (_ms, abort) => pause(0, abort),
    signal,
    log: createLog("silent"),
  });
}

describe("the examples", () => {
  it("cancel an order", async () => {
    const outcome = await run(example("cancel-order"), { order_id: 12345, reason: "Ordered by mistake", dashboard: dashboard.url });
    expect(outcome.error).toBeNull();
    expect(outcome.result).toBe("Cancelled");
    expect(dashboard.state.orders.get("12345")).toMatchObject({ status: "Cancelled", cancelReason: "Ordered by mistake" });
  });

  it("say it in the author's words when the order is not there", async () => {
    const outcome = await run(impatient(example("cancel-order")), { order_id: 999, dashboard: dashboard.url });
    expect(outcome.error).toMatchObject({ code: "STEP_FAILED", message: expect.stringContaining("There is no order 999") });
    expect(outcome.step_results.at(-1)).toMatchObject({ success: false, raw_error: expect.stringContaining("Verification failed") });
  });

  it("stop at wrong credentials", async () => {
    const outcome = await run(
      impatient(example("cancel-order")),
      { order_id: 12345, dashboard: dashboard.url },
      { username: "demo", password: "wrong" },
    );
    expect(outcome.error?.message).toBe("Step 1 (Sign in): The dashboard did not accept the credentials");
    expect(JSON.stringify([outcome.step_results, outcome.error?.details])).not.toContain('wrong"');
    expect(dashboard.state.failedLogins).toBe(1);
  });

  it("list orders by status", async () => {
    const outcome = await run(example("list-orders"), { status: "On hold", dashboard: dashboard.url });
    expect(outcome.error).toBeNull();
    const [found, table] = outcome.extracted_texts;
    expect(found).toMatch(/^\d+ orders$/);
    expect(table?.match(/On hold/g)).toHaveLength(Math.min(10, Number.parseInt(found ?? "", 10)));
    expect(outcome.step_results.at(-1)?.description).toBe(`Read the table (${found})`);
  });

  it("read a report out of a window of its own", async () => {
    const outcome = await run(example("monthly-report"), { dashboard: dashboard.url });
    expect(outcome.error).toBeNull();
    expect(JSON.parse(outcome.result ?? "")).toContainEqual({
      status: "Delivered",
      orders: expect.any(Number),
      revenue: expect.stringMatching(/^\$/),
    });
  });
});

describe("a playbook in a real page", () => {
  const steps = (yaml: string) =>
    `id: a\nparameters:\n  - {name: base}\n  - {name: who, default: "Seán O'Brien"}\nstart_url: "{base}/login"\nsteps:\n${yaml}`;
  const SIGN_IN = `
  - action: sequence
    params:
      actions:
        - {action: key_press, selector: "#username", params: {text: "{credentials.first}mo"}}
        - {action: key_press, selector: "#password", params: {text: "{credentials.password}", key: Enter}}
    verify: {expect_url_contains: /orders}`;
  const credentials = { first: "de", password: DEMO_USER.password };

  it("types text that is part credential, and finds what a value with a quote names", async () => {
    const yaml = `${SIGN_IN}
  - {action: key_press, selector: "#search", params: {text: "{who}"}}
  - {action: wait_for, selector: "#orders[aria-busy=false]"}
  - {action: extract, selector: "xpath///tr[td='{who}'][1]/td[3]"}
  - {action: extract, selector: "tr:has-text('{who}') td:nth-child(3)"}
  - {action: extract, selector: "text='{who}'"}
  - {action: evaluate, params: {expression: "({who: params.who, keys: Object.keys(params)})"}}`;
    const { extracted_texts, error } = await run(steps(yaml), { base: dashboard.url }, credentials);
    expect(error).toBeNull();
    expect(extracted_texts.slice(0, 3)).toEqual(["Seán O'Brien", "Seán O'Brien", "Seán O'Brien"]);
    expect(JSON.parse(extracted_texts[3] ?? "")).toEqual({ who: "Seán O'Brien", keys: ["base", "who"] });
  });

  it("names the action of a sequence that failed, and cancels nothing twice", async () => {
    const yaml = `${SIGN_IN}
  - {action: goto, params: {url: "{base}/orders/12345"}}
  - action: sequence
    once: true
    on_failure: retry
    timeout_ms: 1500
    params:
      actions:
        - {action: click, selector: "role=button[name='Cancel order']"}
        - {action: click, selector: "#confirm-cancel"}
        - {action: wait_for, selector: "#no-such-thing"}`;
    const { error, step_results } = await run(steps(yaml), { base: dashboard.url }, credentials);
    expect(error?.message).toMatch(/^Step 3 \(sequence\): Action 3 of 3 \(wait_for\): .*not tried again/s);
    expect(step_results.at(-1)?.attempts).toBe(1);
  });
});
