/**
 * Nodes that speak the node protocol and run nothing: what an edge is tested against. They share one store, as real ones do, and each of their
 * routes can be told to fail.
 */
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { RunEvent } from "../../shared/event.ts";
import { newRunId } from "../../shared/ids.ts";
import type { NodeInfo } from "../../shared/node.ts";
import { formatEvent, KEEPALIVE, parseLastEventId } from "../../shared/sse.ts";
import type { Fault } from "./stand-in-faults.ts";

export const POOL_TOKEN = "stand-in-token";

export type StandInRun = {
  run_id: string;
  api_key_name: string;
  state: "queued" | "live" | "stored";
  owner: StandInNode | null;
  status: string;
  events: RunEvent[];
  liveTrace: Uint8Array;
  storedTrace: Uint8Array | null;
  /** Why there is no stored trace. */
  reason: string | null;
};

/** `GET` routes of one run by their last part, the others by name. */
export type RouteName =
  | `${"live" | "stored"}.${"run" | "stream" | "trace" | "manifest" | "file"}`
  | "location"
  | "create"
  | "list"
  | "node"
  | "nodes"
  | "stop"
  | "delete"
  | "admin"
  | "playbooks"
  | "viewer";
export type Seen = { route: RouteName; method: string; url: string; headers: IncomingMessage["headers"]; body: string };

/** The store that stand-in nodes share. */
export class StandInStore extends EventEmitter<{ change: [] }> {
  readonly runs = new Map<string, StandInRun>();
  readonly nodes: StandInNode[] = [];
  readonly byKey = new Map<string, string>();

  addRun(run: Partial<StandInRun> = {}): StandInRun {
    const owner = run.owner ?? null;
    const added: StandInRun = {
      run_id: newRunId(),
      api_key_name: "tester",
      state: owner ? "live" : "stored",
      owner,
      status: owner ? "running" : "completed",
      events: [],
      liveTrace: new Uint8Array(0),
      storedTrace: null,
      reason: null,
      ...run,
    };
    this.runs.set(added.run_id, added);
    return added;
  }

  /** Changes a run and tells whoever waits for that. */
  update(run: StandInRun, changes: Partial<StandInRun>): void {
    Object.assign(run, changes);
    this.emit("change");
  }

  addEvents(run: StandInRun, ...events: RunEvent[]): void {
    run.events.push(...events);
    this.emit("change");
  }
}

export type StandInOptions = { store?: StandInStore; info?: Partial<NodeInfo>; port?: number };

export class StandInNode
  extends EventEmitter<{ opened: [RouteName]; closed: [RouteName, { complete: boolean }] }>
  implements AsyncDisposable
{
  readonly node_id = newRunId();
  readonly store: StandInStore;
  readonly seen: Seen[] = [];
  /** How a route shall fail, until it is deleted; several are used up one by one, `null` is no failure. */
  readonly faults = new Map<RouteName, Fault | (Fault | null)[]>();
  info: Partial<NodeInfo>;
  sentBytes = 0;
  #server: Server;
  #port = 0;

  private constructor({ store = new StandInStore(), info = {} }: StandInOptions) {
    super();
    this.setMaxListeners(0);
    this.store = store;
    this.store.setMaxListeners(0);
    this.info = info;
    this.#server = this.#createServer();
    store.nodes.push(this);
  }

  static async start(options: StandInOptions = {}): Promise<StandInNode> {
    const node = new StandInNode(options);
    await node.#listen(options.port ?? 0);
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** How often a route was asked for. */
  count(route: RouteName): number {
    return this.seen.filter((each) => each.route === route).length;
  }

  /** From now on connections are refused; those there are break. */
  async refuse(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Back at the same port. */
  async accept(): Promise<void> {
    this.#server = this.#createServer();
    await this.#listen(this.#port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.refuse();
  }

  #createServer(): Server {
    return createServer((request, response) => void this.#answer(request, response).catch((error) => response.destroy(error)));
  }

  async #listen(port: number): Promise<void> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  nodeInfo(): NodeInfo {
    return {
      node_id: this.node_id,
      boot_id: "boot",
      url: this.url,
      state: "ready",
      slots: { total: 2, busy: 0 },
      queued: 0,
      browsers: { warm: 1, busy: 0 },
      load: 0.1,
      tier: "sandbox",
      version: "0",
      started_at: new Date(0).toISOString(),
      ...this.info,
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", "http://node");
    const parts = url.pathname.split("/").filter(Boolean);
    const route = routeOf(request.method ?? "", parts);
    if (request.headers.authorization !== `Bearer ${POOL_TOKEN}`) return error(response, 401, "UNAUTHORIZED");
    if (!route) return error(response, 404, "NOT_FOUND");
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    this.seen.push({ route, method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
    response.on("close", () => this.emit("closed", route, { complete: response.writableFinished }));
    this.emit("opened", route);

    const planned = this.faults.get(route);
    const fault = Array.isArray(planned) ? planned.shift() : planned;
    if (fault) return fault(response);
    const caller = request.headers["x-api-key-name"];
    const run = this.store.runs.get(parts[parts[0] === "runs" ? 1 : 2] ?? "");
    const mine = run && (caller === undefined || caller === run.api_key_name) ? run : null;

    if (route === "node") return json(response, this.nodeInfo());
    if (route === "nodes")
      return json(response, { nodes: this.store.nodes.map((node) => ({ ...node.nodeInfo(), last_seen_at: new Date().toISOString() })) });
    if (route === "viewer") return json(response, VIEWER);
    if (route === "playbooks") return json(response, parts[1] ? { id: parts[1], name: parts[1], steps: [] } : { playbooks: [] });
    if (route === "list")
      return json(response, {
        runs: [...this.store.runs.values()].filter((each) => caller === undefined || each.api_key_name === caller).map(runJson),
        next_cursor: null,
      });
    if (route === "create") return this.#create(response, url, request);
    if (route === "admin") return this.#admin(response, parts);
    if (!mine) return error(response, 404, "NOT_FOUND");
    if (route === "location") return this.#location(response, url, mine);
    if (route === "stop") {
      this.store.update(mine, { status: mine.state === "stored" ? mine.status : "terminated", state: "stored" });
      return json(response, { run_id: mine.run_id, status: mine.status });
    }
    if (route === "delete") {
      if (mine.state !== "stored") return error(response, 409, "CONFLICT");
      this.store.runs.delete(mine.run_id);
      this.store.emit("change");
      return void response.writeHead(204).end();
    }
    const live = route.startsWith("live.");
    if (live && (mine.state !== "live" || mine.owner !== this)) return error(response, 404, "NOT_FOUND");
    if (route.endsWith(".run")) return json(response, runJson(mine));
    if (route.endsWith(".manifest"))
      return live || mine.storedTrace
        ? json(response, { run_id: mine.run_id, state: live ? "recording" : "ready", artifacts: [] })
        : error(response, 404, "NOT_FOUND", mine.reason);
    if (route.endsWith(".stream")) return this.#stream(request, response, mine, live);
    if (live) return this.#bytes(response, 200, mine.liveTrace, {});
    return this.#storedBytes(request, response, mine);
  }

  #create(response: ServerResponse, url: URL, request: IncomingMessage): void {
    if (url.searchParams.get("dry_run") === "true") return void json(response, { valid: true, checks: [], warnings: [], guardrails: {} });
    const key = String(request.headers["idempotency-key"]);
    const known = this.store.byKey.get(key);
    const run =
      (known && this.store.runs.get(known)) || this.store.addRun({ owner: this, api_key_name: String(request.headers["x-api-key-name"]) });
    this.store.byKey.set(key, run.run_id);
    json(
      response,
      { run_id: run.run_id, status: "queued", status_url: `/runs/${run.run_id}`, stream_url: `/runs/${run.run_id}/stream` },
      202,
    );
  }

  #admin(response: ServerResponse, parts: string[]): void {
    if (parts[1] === "drain" || parts[1] === "resume") {
      this.info = { ...this.info, state: parts[1] === "drain" ? "draining" : "ready" };
      json(response, this.nodeInfo());
    }
    const browser = {
      browser_id: `${this.node_id}.1`,
      node_id: this.node_id,
      state: "warm",
      kind: "process",
      run_id: null,
      pid: 1,
      version: "stand-in",
      started_at: new Date(0).toISOString(),
      recycle_requested: parts.includes("recycle"),
    };
    json(response, parts.includes("recycle") ? browser : { browsers: [browser] });
  }

  async #location(response: ServerResponse, url: URL, run: StandInRun): Promise<void> {
    const known = url.searchParams.get("known");
    const now = () => ({ run_id: run.run_id, state: run.state, node_id: run.owner?.node_id ?? null, node_url: run.owner?.url ?? null });
    const until = Date.now() + 1000 * Number(url.searchParams.get("wait_s") ?? 0);
    while (known === `${now().state}:${now().node_id ?? ""}` && Date.now() < until && !response.destroyed) {
      await once(this.store, "change", { signal: AbortSignal.timeout(Math.max(1, until - Date.now())) }).catch(() => {}); // the time is over: answer as it is
    }
    return json(response, now());
  }

  /** Past events, then for a live run those to come, up to `complete`. */
  async #stream(request: IncomingMessage, response: ServerResponse, run: StandInRun, live: boolean): Promise<void> {
    let last = parseLastEventId(request.headers["last-event-id"] as string | undefined);
    const over = () => run.events.at(-1)?.type === "complete";
    if (over() && last >= run.events.length) return void response.writeHead(204).end();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(KEEPALIVE);
    for (;;) {
      for (; last < run.events.length; last++) response.write(formatEvent({ id: last + 1, event: run.events[last] as RunEvent }));
      if (!live || over() || response.destroyed || run.owner !== this) return void response.end();
      await either([this.store, "change"], [response, "close"]);
    }
  }

  #storedBytes(request: IncomingMessage, response: ServerResponse, run: StandInRun): void | Promise<void> {
    const bytes = run.storedTrace;
    if (!bytes) return error(response, 404, "NOT_FOUND", run.reason);
    const etag = `"${bytes.byteLength}-v1"`;
    const head = { etag, "accept-ranges": "bytes" };
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304, head).end();
    const range = request.headers["if-range"] === undefined || request.headers["if-range"] === etag ? request.headers.range : undefined;
    const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(range ?? "") ?? [];
    if (from === undefined || to === undefined || (from === "" && to === "")) {
      if (request.method === "HEAD") return void response.writeHead(200, { ...head, "content-length": bytes.byteLength }).end();
      return this.#bytes(response, 200, bytes, { ...head, "content-length": bytes.byteLength });
    }
    const start = from === "" ? Math.max(0, bytes.byteLength - Number(to)) : Number(from);
    const end = from === "" || to === "" ? bytes.byteLength - 1 : Math.min(Number(to), bytes.byteLength - 1);
    if (start > end) {
      response.setHeader("content-range", `bytes */${bytes.byteLength}`);
      return error(response, 416, "RANGE_NOT_SATISFIABLE");
    }
    const part = bytes.subarray(start, end + 1);
    return this.#bytes(response, 206, part, {
      ...head,
      "content-length": part.byteLength,
      "content-range": `bytes ${start}-${end}/${bytes.byteLength}`,
    });
  }

  /** In pieces, no faster than they are taken. */
  async #bytes(response: ServerResponse, code: number, bytes: Uint8Array, head: Record<string, string | number>): Promise<void> {
    response.writeHead(code, { "content-type": "application/zip", ...head });
    for (let at = 0; at < bytes.byteLength && !response.destroyed; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      this.sentBytes += piece.byteLength;
      if (!response.write(piece)) await either([response, "drain"], [response, "close"]);
    }
    response.end();
  }
}

const PIECE = 64 * 1024;
const viewerFile = (name: string, type: string, text: string) => ({ name, type, base64: Buffer.from(text).toString("base64") });
export const VIEWER_INDEX =
  '<title>The viewer</title>\r\n<script type="module" src="./index.js"></script>\r\n<script>\r\n  void 0;\r\n</script>';
const VIEWER = {
  version: "stand-in",
  files: [
    viewerFile("index.html", "text/html; charset=utf-8", VIEWER_INDEX),
    viewerFile("sw.bundle.js", "text/javascript; charset=utf-8", "// ü\n".repeat(100)),
    viewerFile("assets/index-BY2vkw8A.js", "text/javascript; charset=utf-8", "void 0;\n".repeat(100)),
  ],
};

/** `/live/runs/{id}/recording/trace` → `live.trace`. */
function routeOf(method: string, [first, second, third, fourth, fifth]: string[]): RouteName | null {
  if (first === "node") return "node";
  if (first === "nodes") return "nodes";
  if (first === "playbooks") return "playbooks";
  if (first === "viewer") return "viewer";
  if (first === "admin") return "admin";
  if (first === "runs" && !second) return method === "POST" ? "create" : "list";
  if (first === "runs" && third === "location") return "location";
  if (first === "runs" && third === "stop") return "stop";
  if (first === "runs" && method === "DELETE") return "delete";
  if (first !== "live" && first !== "stored") return null;
  if (fourth === undefined) return `${first}.run`;
  if (fourth === "stream") return `${first}.stream`;
  if (fourth !== "recording") return null;
  return `${first}.${fifth === "trace" || fifth === "manifest" ? fifth : "file"}`;
}

/** Resolves at the first of the events, and leaves no listener. */
function either(...events: [EventEmitter, string][]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const [emitter, name] of events) emitter.off(name, done);
      resolve();
    };
    for (const [emitter, name] of events) emitter.on(name, done);
  });
}

function runJson({ run_id, status, owner }: StandInRun): Record<string, unknown> {
  return { run_id, status, node_id: owner?.node_id ?? null, attempt: 1 };
}

function json(response: ServerResponse, value: unknown, code = 200): void {
  const text = JSON.stringify(value);
  response.writeHead(code, { "content-type": "application/json", "content-length": Buffer.byteLength(text) }).end(text);
}

function error(response: ServerResponse, code: number, name: string, reason: string | null = null): void {
  json(response, { error: { code: name, message: name, details: reason ? { reason } : null } }, code);
}
