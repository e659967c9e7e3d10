/** Watches one leased browser: does its process answer, does the page the run acts on? Tells of a crash and of a hang, once. */
import type { CDPSession, Page } from "puppeteer-core";
import type { Log } from "../telemetry/log.ts";
import { answered, beat, HEARTBEAT_LIMITS, type Heartbeat, newHeartbeat, patience } from "./heartbeat.ts";
import { loadPerCpu } from "./machine-load.ts";
import { askBrowser, askPage, type Pulse } from "./pulse.ts";

const TICK_MS = 1_000;

export type Illness = { what: "page_crash" | "page_hang" | "browser_hang"; how: string };

const BROWSER_HANG: Illness = { what: "browser_hang", how: "the browser process stopped answering" };

export type HealthOptions = {
  pulse: Pulse;
  page: Page;
  onIll: (illness: Illness) => void;
  log: Log;
  tickMs?: number;
  /** Injected by tests. */
  loadPerCpu?: () => number;
};

export class Health implements Disposable {
  readonly #options: HealthOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #crashed = new WeakSet<Page>();
  readonly #known = new WeakSet<Page>();
  readonly #dialogs = new WeakSet<Page>();
  readonly #sessions = new WeakMap<Page, Promise<CDPSession>>();
  readonly #stopped = new AbortController();
  #browser: Heartbeat = newHeartbeat(false);
  #tab: Heartbeat = newHeartbeat(true);
  #page: Page;
  /** null while it is being opened: a page that cannot even be attached to is seen by the browser's own heartbeat. */
  #session: CDPSession | null;

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#page = options.page;
    this.#session = options.pulse.page;
    this.#sessions.set(options.page, Promise.resolve(options.pulse.page));
    this.#listenTo(options.page);
    this.#timer = setInterval(() => this.#tick(), options.tickMs ?? TICK_MS).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#stopped.abort();
  }

  /** From now on the run acts on this page: its crash or hang is the run's. */
  follow(page: Page): void {
    if (page === this.#page) return;
    this.#page = page;
    this.#session = null;
    this.#tab = { ...newHeartbeat(true), mayAid: this.#tab.mayAid };
    this.#listenTo(page);
    if (this.#crashed.has(page)) {
      this.#tell({ what: "page_crash", how: "the page had crashed before" });
      return;
    }
    this.#sessionOf(page).then(
      (session) => {
        if (this.#page === page) this.#session = session;
      },
      () => {}, // it closed at once: the run follows another one next
    );
  }

  #sessionOf(page: Page): Promise<CDPSession> {
    const session = this.#sessions.get(page) ?? page.createCDPSession();
    this.#sessions.set(page, session);
    return session;
  }

  #listenTo(page: Page): void {
    if (this.#known.has(page)) return;
    this.#known.add(page);
    page.on("error", (error) => {
      this.#crashed.add(page);
      if (page === this.#page) this.#tell({ what: "page_crash", how: error.message });
    });
    page.on("dialog", () => void this.#waitForDialog(page));
  }

  /** While a dialog is open its page answers nothing, and hangs by nobody's fault. */
  async #waitForDialog(page: Page): Promise<void> {
    if (this.#dialogs.has(page)) return;
    this.#dialogs.add(page);
    const closed = () => this.#dialogs.delete(page);
    try {
      const session = await this.#sessionOf(page);
      askPage(session).then(closed, closed); // answered when the dialog is closed, unless the page hangs right then
      session.once("Page.javascriptDialogClosed", () => {
        closed();
        session.send("Page.disable").catch(closed);
      });
      await session.send("Page.enable");
    } catch {
      closed(); // the page closed with its dialog
    }
  }

  #tick(): void {
    const { pulse } = this.#options;
    const allowed = patience((this.#options.loadPerCpu ?? loadPerCpu)());
    const limits = { ...HEARTBEAT_LIMITS, limitTicks: Math.ceil(HEARTBEAT_LIMITS.limitTicks * allowed) };

    const [browser, browserTodo] = beat(this.#browser, limits);
    this.#browser = browser;
    if (browserTodo === "ask") this.#ask(askBrowser(pulse.browser), () => (this.#browser = answered(this.#browser)));
    if (browserTodo === "give up") this.#tell(BROWSER_HANG);

    const page = this.#page;
    const session = this.#session;
    if (session === null || this.#dialogs.has(page)) {
      this.#tab = answered(this.#tab);
      return;
    }
    const [tab, todo] = beat(this.#tab, limits);
    this.#tab = tab;
    if (todo === "ask") {
      this.#ask(askPage(session), () => {
        if (page === this.#page) this.#tab = answered(this.#tab);
      });
    }
    if (todo === "aid") {
      this.#options.log.warn("the page stopped answering; its script is being ended", {});
      session.send("Runtime.terminateExecution").catch(() => {}); // the next ticks show whether it helped
    }
    if (todo === "give up") {
      // A hung browser passes no page's answer on, and has then been silent for as long; a slow one is late by a tick or two.
      const isBrowser = this.#browser.state === "asked" && this.#browser.ticks > limits.limitTicks / 2;
      this.#tell(isBrowser ? BROWSER_HANG : { what: "page_hang", how: "the page stopped answering" });
    }
  }

  /** Any outcome is an answer. */
  #ask(question: Promise<unknown>, onAnswer: () => void): void {
    question.then(onAnswer, onAnswer);
  }

  #tell(illness: Illness): void {
    if (this.#stopped.signal.aborted) return;
    this[Symbol.dispose]();
    this.#options.onIll(illness);
  }
}
