/** The trace viewer as a user has it: a link from the API, opened in a real Chrome, while the run goes on and after. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openChrome } from "../support/chrome.ts";
import { openTestSystem, type TestSystem } from "../support/system.ts";

let site: Awaited<ReturnType<typeof openSite>>;
let system: TestSystem;
let chrome: Awaited<ReturnType<typeof openChrome>>;
beforeAll(async () => {
  site = await openSite();
  system = await openTestSystem({ env: { POOL_DRAIN_GRACE_S: "0", POOL_PRIVATE_NETWORKS: `127.0.0.1/32:${site.port}` } });
  chrome = await openChrome();
});
afterAll(async () => {
  for (const each of [site, chrome, system]) await each?.[Symbol.asyncDispose]();
});

/** A page whose `/gate/<n>` answers when the test opens it. */
async function openSite() {
  const waiting = new Map<string, (response: ServerResponse) => void>();
  const gates = new Map<string, Promise<ServerResponse>>();
  const gate = (path: string) => {
    const found = gates.get(path) ?? new Promise<ServerResponse>((resolve) => waiting.set(path, resolve));
    gates.set(path, found);
    return found;
  };
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    if (!path.startsWith("/gate/")) return void response.setHeader("Content-Type", "text/html").end("<h1>Guarded</h1>");
    gate(path);
    waiting.get(path)?.(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    open: async (n: number) => void (await gate(`/gate/${n}`)).end("open"),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const passGates = (url: string) => {
  const pass = (n: number) => ({
    action: "evaluate",
    params: { expression: `fetch("/gate/${n}").then((response) => response.text())` },
    timeout_ms: 60_000,
    description: `Pass gate ${n}`,
  });
  const steps = [
    { action: "goto", params: { url }, description: "Open the page" },
    pass(1),
    { action: "extract", selector: "h1", description: "Read the heading" },
    pass(2),
    { action: "extract", selector: "h1", description: "Read it again" },
  ];
  return { playbook: { id: "gates", guardrails: { allow_private_networks: true }, steps } };
};

const viewerUrl = async (runId: string): Promise<string> => {
  const response = await system.as.writer.call(`/runs/${runId}/recording/viewer`, { redirect: "manual" });
  expect(response.status).toBe(302);
  return new URL(response.headers.get("location") ?? "", system.url).href;
};

/** The viewer in its frame. */
async function viewerOf(page: Page) {
  const element = await page.waitForSelector("iframe[src]");
  const frame = await element?.contentFrame();
  if (!frame) throw new Error("The page has no frame");
  return frame;
}
const rows = (items: Element[]) => items.map((item) => (item.firstElementChild?.textContent ?? "").replace(/\s+/g, " ").trim());
const state = (text: string) => `::-p-xpath(//header/output[contains(., "${text}")])`;

describe("a link to the viewer", () => {
  it("shows a run that goes on, grows with it, keeps what was selected, and is whole at its end; then it shows the stored trace", async () => {
    const { run_id } = await system.as.writer.create(passGates(site.url));
    await system.as.writer.until(run_id, ({ event }) => event.type === "step" && event.index === 1 && event.state === "started");
    const page = await chrome.browser.newPage();
    const errors: unknown[] = [];
    page.on("pageerror", (error) => errors.push(error));
    page.on("console", (entry) => entry.type() === "error" && errors.push(entry.text())); // what a policy refuses is told there
    await page.goto(await viewerUrl(run_id));
    const viewer = await viewerOf(page);
    const step = (n: number) => viewer.waitForSelector(`[role=treeitem] ::-p-text(Step ${n}:)`);
    await step(1);
    await page.waitForSelector(state("live"));
    expect(await viewer.$("::-p-text(Step 3:)")).toBeNull();
    await (await step(1))?.click();
    const entries = await page.evaluate("history.length");

    await site.open(1);
    await step(3);
    expect(await viewer.$$eval("[role=treeitem][aria-selected=true]", rows)).toEqual([expect.stringContaining("Step 1: Open the page")]);
    expect(await page.evaluate("history.length")).toBe(entries);

    await site.open(2);
    await page.waitForSelector(state("completed"));
    await step(5);

    await system.as.writer.settled(run_id);
    const later = await chrome.browser.newPage();
    later.on("pageerror", (error) => errors.push(error));
    await later.goto(await viewerUrl(run_id));
    await later.waitForSelector(state("completed"));
    await (await viewerOf(later)).waitForSelector("[role=treeitem] ::-p-text(Step 5:)");
    expect(errors).toEqual([]);
  });

  it("says what is wrong with it when it opens nothing", async () => {
    const page = await chrome.browser.newPage();
    await page.goto(`${system.url}/trace-viewer/run`);
    await page.waitForSelector(state("There is no link in this address"));
    await page.evaluate("location.hash = 'no.link'");
    await page.waitForSelector(state("This is no link of ours"));
    await page.close();
  });
});
