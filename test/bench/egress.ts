/** (6) A page of 50 subresources through the egress guard, against none and against interception over CDP; and what the checks of an action cost. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, launch, type Page } from "puppeteer-core";
import type { ClickTarget } from "../../pool/actions/attempt.ts";
import { openEgress } from "../../pool/guardrails/egress.ts";
import { openGuardrails } from "../../pool/guardrails/guardrails.ts";
import { createScope } from "../../pool/guardrails/scope.ts";
import type { Action } from "../../shared/action.ts";
import { guardrailsOf, labPolicy } from "../guardrails/lab.ts";
import { CHROME_PATH } from "../support/chrome.ts";
import { start } from "./support/processes.ts";
import { type BenchResult, median } from "./support/result.ts";

const ROUNDS = 15;
const SETUPS = ["none", "guard", "cdp"] as const;
type Setup = (typeof SETUPS)[number];
const NAMES: Record<Setup, string> = { none: "no guard", guard: "egress guard", cdp: "Fetch interception over CDP, all continued" };
const policy = () => labPolicy("127.0.0.0/8, [::1]", async () => ["127.0.0.1"]);

export async function bench(): Promise<BenchResult> {
  await using opened = new AsyncDisposableStack();
  const origin = opened.use(await start(process.execPath, ["test/bench/support/fifty.ts"], {}, /(http:\/\/\S+ https:\/\/\S+)/));
  const [http = "", h2 = ""] = origin.said.split(" ");
  const egress = opened.use(await openEgress());
  egress.attach(policy(), (refusal) => {
    throw new Error(`Refused: ${refusal.reason}`);
  });
  const userDataDir = await mkdtemp(join(tmpdir(), "us-bench-"));
  opened.defer(() => rm(userDataDir, { recursive: true, force: true, maxRetries: 5 }));
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--ignore-certificate-errors"];
  const browser = await launch({ executablePath: CHROME_PATH, pipe: true, headless: true, userDataDir, args });
  opened.defer(() => browser.close());

  const times: Record<string, Record<Setup, { cold: number[]; warm: number[] }>> = {};
  for (const [protocol, url] of [
    ["h2", h2],
    ["HTTP/1.1", http],
  ] as const) {
    const of = { none: { cold: [], warm: [] }, guard: { cold: [], warm: [] }, cdp: { cold: [], warm: [] } } as (typeof times)[string];
    times[protocol] = of;
    for (let round = -2; round < ROUNDS; round += 1) {
      const order = round % 2 === 0 ? SETUPS : SETUPS.toReversed();
      for (const setup of order) {
        const { cold, warm } = await load(browser, setup, { url, protocol, proxyUrl: egress.proxyUrl });
        if (round < 0) continue; // the first ones find nothing warm anywhere
        of[setup].cold.push(cold);
        of[setup].warm.push(warm);
      }
    }
  }
  const ratio = (protocol: string, setup: Setup, state: "cold" | "warm") =>
    median((times[protocol]?.[setup][state] ?? []).map((each, i) => each / (times[protocol]?.none[state][i] as number)));
  const checks = await actionChecks();
  const columns = ["h2", "HTTP/1.1"].flatMap((protocol) => (["cold", "warm"] as const).map((state) => ({ protocol, state })));
  return {
    title: `A page of 50 subresources through the egress guard, ${ROUNDS} interleaved rounds`,
    notes: [
      "Median ms from the start of the navigation to the end of its load event, a fresh context each round (warm: the second load in it, connections open); in brackets",
      "the median of paired ratios to no guard. The origin is a process of its own on the same machine, so what the guard adds is not hidden behind a network.",
    ],
    table: [
      ["", ...columns.map(({ protocol, state }) => `${protocol} ${state}`)],
      ...SETUPS.map((setup) => [
        NAMES[setup],
        ...columns.map(
          ({ protocol, state }) =>
            `${median(times[protocol]?.[setup][state] ?? []).toFixed(0)} (${ratio(protocol, setup, state).toFixed(2)})`,
        ),
      ]),
      ...Object.entries(checks).map(([name, us]) => [name, `${us.toFixed(1)} µs`]),
    ],
    aims: [
      { what: "load over h2 through the guard, cold", value: ratio("h2", "guard", "cold"), unit: "×", aim: 1.05, better: "less" },
      {
        what: "load over HTTP/1.1 through the guard, cold",
        value: ratio("HTTP/1.1", "guard", "cold"),
        unit: "×",
        aim: 1.1,
        better: "less",
      },
      { what: "load over h2 through the guard, warm", value: ratio("h2", "guard", "warm"), unit: "×", aim: 1.05, better: "less" },
      {
        what: "load over HTTP/1.1 through the guard, warm",
        value: ratio("HTTP/1.1", "guard", "warm"),
        unit: "×",
        aim: 1.1,
        better: "less",
      },
      { what: "the dearest check of an action", value: Math.max(...Object.values(checks)), unit: "µs", aim: 50, better: "less" },
    ],
  };
}

type Target = { url: string; protocol: string; proxyUrl: string };

async function load(browser: Browser, setup: Setup, { url, protocol, proxyUrl }: Target): Promise<{ cold: number; warm: number }> {
  const context = await browser.createBrowserContext(setup === "guard" ? { proxyServer: proxyUrl, proxyBypassList: ["<-loopback>"] } : {});
  try {
    const page = await context.newPage();
    if (setup === "cdp") await interceptAll(page);
    return { cold: await loadOnce(page, url, protocol), warm: await loadOnce(page, url, protocol) };
  } finally {
    await (context as BrowserContext).close();
  }
}

async function loadOnce(page: Page, url: string, protocol: string): Promise<number> {
  await page.goto(url, { waitUntil: "load" });
  const [ms, loaded, spoken, resources] = (await page.evaluate(`new Promise((resolve) => setTimeout(() => {
    const [nav] = performance.getEntriesByType("navigation");
    resolve([nav.loadEventEnd - nav.startTime, window.loaded, nav.nextHopProtocol, performance.getEntriesByType("resource").length]);
  }))`)) as [number, number, string, number];
  if (loaded !== 20 || resources < 50) throw new Error(`The page did not load whole: ${loaded} scripts, ${resources} resources`);
  if (spoken !== protocol.toLowerCase()) throw new Error(`Spoke ${spoken} instead of ${protocol}`);
  return ms;
}

async function interceptAll(page: Page): Promise<void> {
  const session = await page.createCDPSession();
  session.on("Fetch.requestPaused", ({ requestId }) => void session.send("Fetch.continueRequest", { requestId }).catch(() => {}));
  await session.send("Fetch.enable", { patterns: [{ urlPattern: "*" }] });
}

/** Microseconds, the median of many rounds. What a model or a resolver is asked is not among them. */
async function actionChecks(): Promise<Record<string, number>> {
  const words = "Read about the orders of the shop near the old town where people meet every day to talk of the weather. ";
  const long = words.repeat(2).slice(0, 200);
  const target = (name: string, more: Partial<ClickTarget> = {}): ClickTarget => ({
    ...{ name, text: `${name} `, role: "button", href: null, form: null, submits: false, dialog: "" },
    ...more,
  });
  const full = (text: string) =>
    target(text, {
      href: `https://shop.test/${"a/path-of/words/".repeat(120)}`,
      dialog: text,
      submits: true,
      form: { action: "https://shop.test/orders/save?x=1", method: "post" },
    });
  const run = openGuardrails({ guardrails: guardrailsOf({ enable_llm_action_check: false, max_urls_visited: 500 }), policy: policy() });
  const scope = createScope({ goal: "interact", intent: words.repeat(90), urls: ["https://shop.test/"], hidesDeeds: true });
  const page = { url: "https://shop.test/", scope };
  const context = { origin: "agent", intent: words.repeat(90), scope, url: page.url, signal: new AbortController().signal } as const;
  const click: Action = {
    action: "click",
    selector: { primary: "#a", fallbacks: [], description: null },
    params: { button: "left", click_count: 1 },
    timeout_ms: null,
  };
  const goto: Action = { action: "goto", selector: null, params: { url: page.url }, timeout_ms: null };
  const whole = (action: Action) => async () => {
    await run.ask(action, page);
    run.after({ action, url: page.url, error: null, origin: "author" });
  };
  return {
    "check of an action, before and after": await micros(whole(click)),
    "of a goto, name resolved": await micros(whole(goto)),
    "of what is clicked, a button": await micros(() => run.permit(target("Show details"), context)),
    "of what is clicked, all texts as long as can be": await micros(() => run.permit(full(long), context)),
    "the same, not in Latin letters": await micros(() => run.permit(full(long.replaceAll("e", "ё").replaceAll("o", "ö")), context)),
  };
}

async function micros(check: () => Promise<unknown>): Promise<number> {
  const BATCH = 200;
  const rounds: number[] = [];
  for (let round = 0; round < 40; round += 1) {
    const began = performance.now();
    for (let i = 0; i < BATCH; i += 1) await check();
    if (round >= 10) rounds.push(((performance.now() - began) * 1_000) / BATCH);
  }
  return median(rounds);
}
