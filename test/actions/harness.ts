/** A Chrome, a small site and a run's tabs: what each test of the actions works with. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "puppeteer-core";
import type { DialogNotice } from "../../pool/actions/dialogs.ts";
import { type PerformContext, type Performed, perform } from "../../pool/actions/perform.ts";
import { openTabs, type Tabs } from "../../pool/actions/tabs.ts";
import type { Action, Selector, SimpleActionName } from "../../shared/action.ts";
import { ACTION_PARAMS } from "../../shared/action.ts";
import { withDeadline } from "../../shared/deadline.ts";
import { openChrome } from "../support/chrome.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;
export type Routes = Record<string, string | Handler>;
type Given = { selector?: string | { primary: string; fallbacks: string[] } } & Record<string, unknown>;

export type Bench = AsyncDisposable & {
  tabs: Tabs;
  page: Page;
  /** What the observer was told. */
  logs: string[];
  inputs: object[];
  dialogs: DialogNotice[];
  stop: AbortController;
  /** `selector` and `timeout_ms` aside, the fields are the action's params. */
  act(name: SimpleActionName, given?: Given, context?: Partial<PerformContext>): Promise<Performed>;
  /** A value from the page's own world. */
  read<T>(script: string): Promise<T>;
};

export type Site = {
  /** `http://127.0.0.1:port` */
  url: string;
  /** The same server under another name, which is another site to Chrome. */
  otherUrl: string;
  routes: Routes;
  requests: string[];
};

export type Harness = AsyncDisposable & {
  chrome: Awaited<ReturnType<typeof openChrome>>;
  site: Site;
  /** A page as new that shows this HTML at `/`, and what else the routes say. */
  open(html: string, routes?: Routes): Promise<Bench>;
};

export async function openHarness(): Promise<Harness> {
  const chrome = await openChrome();
  const site: Site = { url: "", otherUrl: "", routes: {}, requests: [] };
  const unanswered = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://site").pathname;
    site.requests.push(`${request.method} ${request.url}`);
    unanswered.add(response);
    response.on("close", () => unanswered.delete(response));
    const route = site.routes[path];
    if (route === undefined) return void response.writeHead(404).end("no such page");
    if (typeof route === "string") return void html(response, route);
    void route(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, () => resolve()));
  const { port } = server.address() as AddressInfo;
  site.url = `http://127.0.0.1:${port}`;
  site.otherUrl = `http://localhost:${port}`;
  const contexts = { downloadBehavior: chrome.downloadBehavior };
  const idle: Page[] = [];
  return {
    chrome,
    site,
    async open(content, routes = {}) {
      site.routes = { "/": content, ...routes };
      site.requests = [];
      const page = idle.pop() ?? (await (await chrome.browser.createBrowserContext(contexts)).newPage());
      const bench = await openBench(page, async () => {
        if (unanswered.size === 0 && (await cleared(page, [site.url, site.otherUrl])))
          idle.push(page); // a new page is a third of a second of CPU
        else await page.browserContext().close();
      });
      await bench.act("goto", { url: `${site.url}/` });
      return bench;
    },
    async [Symbol.asyncDispose]() {
      await chrome[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Is it fit for another test, without its cookies? Not one that hangs in any frame, or crashed, or was closed. */
async function cleared(page: Page, origins: string[]): Promise<boolean> {
  const clear = async () => {
    await Promise.all(page.frames().map((frame) => frame.evaluate("1")));
    for (const each of await page.browserContext().pages()) if (each !== page) await each.close();
    const session = await page.createCDPSession();
    await session.send("Network.clearBrowserCookies");
    for (const origin of origins) await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" });
    await page.bringToFront();
    await session.detach();
  };
  return await withDeadline(1_000, clear).then(
    () => true,
    () => false,
  );
}

export const html = (response: ServerResponse, content: string): void =>
  void response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(content);

async function openBench(page: Page, close: () => Promise<void>): Promise<Bench> {
  const stop = new AbortController();
  const logs: string[] = [];
  const inputs: object[] = [];
  const dialogs: DialogNotice[] = [];
  const tabs = await openTabs(page, {
    signal: stop.signal,
    viewport: { width: 1280, height: 720 },
    onDialog: (notice) => void dialogs.push(notice),
  });
  return {
    tabs,
    page,
    logs,
    inputs,
    dialogs,
    stop,
    act: (name, given = {}, context = {}) =>
      perform(tabs, action(name, given), {
        signal: stop.signal,
        observe: { found() {}, log: (message) => void logs.push(message), input: (target) => void inputs.push(target) },
        ...context,
      }),
    read: async <T>(script: string) => (await tabs.active().evaluate(script)) as T,
    async [Symbol.asyncDispose]() {
      await tabs[Symbol.asyncDispose]();
      await close();
    },
  };
}

export function action(name: SimpleActionName, { selector, timeout_ms, ...params }: Given = {}): Action {
  const chain: Selector | null =
    selector === undefined
      ? null
      : typeof selector === "string"
        ? { primary: selector, fallbacks: [], description: null }
        : { ...selector, description: null };
  return { action: name, selector: chain, params: ACTION_PARAMS[name].parse(params), timeout_ms: timeout_ms ?? null } as Action;
}

/** A promise that a test resolves: a slow server that answers exactly when it is told to. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
