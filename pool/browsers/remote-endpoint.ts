/** One remote Chrome: its connection, made when needed and again when it broke. */
import { type Browser, type BrowserContext, type ConnectionTransport, connect, type Target } from "puppeteer-core";
import { z } from "zod";
import { withDeadline } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { Log } from "../telemetry/log.ts";
import { KeptListeners } from "./kept-listeners.ts";
import { backoffMs } from "./refill.ts";

const CONNECT_LIMIT_MS = 5_000;
/** Chrome's own answer. */
const VersionSchema = z.object({ webSocketDebuggerUrl: z.url({ protocol: /^wss?$/ }) });

export class RemoteEndpoint {
  /** Without user, password, path and query: they may be secret. */
  readonly name: string;
  runs = 0;
  /** Why the last connection failed; null while it is good or not tried. */
  failure: string | null = null;
  /** Without user and password: `fetch` refuses those, and repeats them in its error. They are shown as `#headers`. */
  readonly #url: URL;
  readonly #headers: Record<string, string>;
  readonly #log: Log;
  readonly #contexts = new Set<string | undefined>();
  readonly #endings = new Set<Promise<void>>();
  #kept: KeptListeners;
  #connection: Promise<Browser> | null = null;
  #failures = 0;
  #retryAt = 0;
  #retry: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(url: string, log: Log) {
    this.#url = new URL(url);
    this.#headers = basicAuthorization(this.#url);
    this.#url.username = "";
    this.#url.password = "";
    this.name = `${this.#url.protocol}//${this.#url.host}`;
    this.#log = log;
    this.#kept = new KeptListeners(log);
  }

  /** Of contexts of the connection that is open now. */
  get kept(): KeptListeners {
    return this.#kept;
  }

  /** It failed a short while ago. */
  get isResting(): boolean {
    return this.failure !== null && performance.now() < this.#retryAt;
  }

  /** The connection, shared by all of its runs. */
  connect(): Promise<Browser> {
    if (this.#connection !== null) return this.#connection;
    const connection = this.#open();
    this.#connection = connection;
    const dropThis = (why: string) => {
      if (this.#connection === connection) this.#drop(why); // else another one has taken its place
    };
    connection.then(
      (browser) => {
        this.failure = null;
        this.#failures = 0;
        browser.once("disconnected", () => dropThis("the connection broke"));
      },
      (error: unknown) => dropThis(tellable(error, "the connection could not be made")),
    );
    return connection;
  }

  /** Closes the connection, for good; the Chrome disposes all contexts that were made over it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    const browser = await this.#connection?.catch(() => null); // a connection that failed is closed
    await browser?.disconnect();
    await Promise.all([this.#kept[Symbol.asyncDispose](), ...this.#endings]);
  }

  /** Tells of a Chrome that is connected and yet of no use. */
  async giveUp(why: string): Promise<void> {
    const connection = this.#connection;
    this.#drop(why);
    await (await connection?.catch(() => null))?.disconnect();
  }

  /** Connects again after a while, wanted or not: a node that is not ready gets no run that could want it. */
  #drop(why: string): void {
    if (this.#isClosed) return;
    this.#connection = null;
    this.#contexts.clear(); // they went with it
    const ending = this.#kept[Symbol.asyncDispose]().finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
    this.#kept = new KeptListeners(this.#log);
    this.#failures += 1;
    const waitMs = backoffMs(this.#failures);
    this.#retryAt = performance.now() + waitMs;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.connect().catch(() => {}), waitMs).unref(); // it says itself why it fails
    this.failure = `${this.name}: ${why}`;
    this.#log.warn("a remote Chrome is not to be reached", { endpoint: this.name, why });
  }

  async #open(): Promise<Browser> {
    return withDeadline(
      CONNECT_LIMIT_MS,
      async (limit) => {
        const url = await this.#debuggerUrl(limit);
        const transport = await openWebSocket(url, url.host === this.#url.host ? this.#headers : {}, limit);
        const giveUp = () => {
          transport.close();
          transport.onclose?.(); // at once: a Chrome that hangs does not answer the close either, and what comes late would come to nobody
        };
        limit.addEventListener("abort", giveUp, { once: true });
        try {
          const targetFilter = (target: Target) => this.#isOurs(target);
          return await connect({ transport, defaultViewport: null, issuesEnabled: false, targetFilter });
        } catch (error) {
          transport.close();
          throw error;
        }
      },
      { reason: () => unusable(`no connection within ${CONNECT_LIMIT_MS / 1000} s`) },
    );
  }

  /** A context whose traffic goes through `proxyUrl`; null: as the remote Chrome was started. */
  async newContext(browser: Browser, proxyUrl: string | null): Promise<BrowserContext> {
    const context = await browser.createBrowserContext({
      ...(proxyUrl === null ? {} : { proxyServer: proxyUrl, proxyBypassList: ["<-loopback>"] }),
      downloadBehavior: { policy: "deny" }, // they would fill a disk that nobody here sweeps
    });
    this.#contexts.add(context.id);
    return context;
  }

  async closeContext(context: BrowserContext): Promise<void> {
    try {
      await context.close();
    } finally {
      this.#contexts.delete(context.id); // one that cannot be closed goes with the connection
    }
  }

  /** Other nodes and people may use the same Chrome: their pages are not attached to. */
  #isOurs(target: Target): boolean {
    const type = target.type();
    return type === "browser" || (type as string) === "tab" || this.#contexts.has(target.browserContext().id ?? "");
  }

  /** An http address is asked for the DevTools one, as Chrome's `/json/version` tells it. */
  async #debuggerUrl(signal: AbortSignal): Promise<URL> {
    if (this.#url.protocol.startsWith("ws")) return this.#url;
    const question = new URL("/json/version", this.#url);
    question.search = this.#url.search; // a token, for what stands before the Chrome
    const answer = await fetch(question, { signal, headers: this.#headers }).catch(() => null);
    if (answer === null) throw unusable("/json/version was not answered");
    if (!answer.ok) throw unusable(`/json/version answered ${answer.status}`);
    const version = VersionSchema.safeParse(await answer.json().catch(() => null));
    if (!version.success) throw unusable("/json/version did not answer as a Chrome does");
    return new URL(version.data.webSocketDebuggerUrl);
  }
}

/** An error in words of our own. */
const unusable = (why: string): AppError => new AppError("SETUP_FAILED", why);

/** What may be told of an error: a foreign one's text may repeat the address, and so a secret. */
export const tellable = (error: unknown, otherwise: string): string => (error instanceof AppError ? error.message : otherwise);

/** RFC 7617, from the address' user and password. */
function basicAuthorization({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const pair = [username, password].map(decoded).join(":");
  return { Authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray %, which URLs may hold
  }
}

/**
 * CDP over a WebSocket. Every context asked for over it is marked to end with it: when this node dies, none stays behind in a Chrome
 * that lives on (`disposeOnDetach`, which puppeteer does not offer).
 */
function openWebSocket(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<ConnectionTransport> {
  const socket = new WebSocket(url, { headers } as unknown as string[]); // Node takes headers, the standard's type does not
  const transport: ConnectionTransport = {
    send: (message) => socket.send(message.includes(`"method":"${CREATE_CONTEXT}"`) ? markToEndWithUs(message) : message),
    close: () => socket.close(),
  };
  socket.addEventListener("message", ({ data }) => transport.onmessage?.(String(data)));
  socket.addEventListener("close", () => transport.onclose?.());
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      socket.close();
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.addEventListener("open", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(transport);
    });
    socket.addEventListener("error", () => {
      signal.removeEventListener("abort", onAbort);
      reject(unusable("no WebSocket connection")); // the event's own text may repeat the URL, and so a token
    });
  });
}

const CREATE_CONTEXT = "Target.createBrowserContext";

/** The text may stand in another command's argument too: only the command itself is changed. */
function markToEndWithUs(message: string): string {
  const command = JSON.parse(message) as { method: string; params?: object };
  return command.method === CREATE_CONTEXT ? JSON.stringify({ ...command, params: { ...command.params, disposeOnDetach: true } }) : message;
}
