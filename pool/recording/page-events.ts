/** What a page and its frames say by themselves: console messages and uncaught errors, over CDP sessions of our own, so that the run's are untouched. */
import type { CDPSession, Page, Protocol } from "puppeteer-core";
import { type TraceEvent, traceTime } from "./trace-events.ts";

const CALL_LIMIT_MS = 5_000;
const MAX_ARGS = 20;
/** Logged objects stay in the page's memory until they are let go. */
const RELEASE_EVERY = 50;

/** Resolves once the page is listened to. @throws when it cannot be, as when it has closed already */
export async function watchPage(page: Page, pageId: string, heard: Heard): Promise<CDPSession> {
  const session = await page.createCDPSession();
  await listen(session, pageId, heard);
  return session;
}

/** False: no more is wanted. */
export type Heard = (event: TraceEvent) => boolean;

/** To the page of a session, or to a frame in another process. */
export async function listen(session: CDPSession, pageId: string, heard: Heard): Promise<void> {
  let held = 0;
  let isOver = false;
  const write = (event: TraceEvent) => {
    if (isOver || heard(event)) return;
    isOver = true;
    for (const method of ["Runtime.disable", "Log.disable"] as const) session.send(method).catch(() => {}); // it has gone
  };
  const release = (args: readonly Protocol.Runtime.RemoteObject[]) => {
    held += args.filter((arg) => arg.objectId !== undefined).length;
    if (held < RELEASE_EVERY) return;
    held = 0;
    session.send("Runtime.releaseObjectGroup", { objectGroup: "console" }, { timeout: CALL_LIMIT_MS }).catch(() => {}); // the page has gone, and its objects with it
  };
  session.on("Runtime.consoleAPICalled", (event) => {
    write(consoleEvent(event, pageId));
    release(event.args);
  });
  session.on("Runtime.exceptionThrown", ({ exceptionDetails }) => write(pageErrorEvent(exceptionDetails, pageId)));
  session.on("Log.entryAdded", ({ entry }) => {
    if (entry.source !== "worker") write(logEvent(entry, pageId));
  });
  const options = { timeout: CALL_LIMIT_MS };
  await Promise.all([session.send("Runtime.enable", undefined, options), session.send("Log.enable", undefined, options)]);
}

function consoleEvent(event: Protocol.Runtime.ConsoleAPICalledEvent, pageId: string): TraceEvent {
  const args = event.args.slice(0, MAX_ARGS).map((arg) => ({ preview: preview(arg), value: null }));
  const isText = event.args.length === 1 && event.args[0]?.type === "string";
  const frame = event.stackTrace?.callFrames[0];
  return {
    type: "console",
    time: traceTime(),
    pageId,
    messageType: event.type,
    text: args.map((arg) => arg.preview).join(" "),
    args: isText ? [] : args,
    location: { url: frame?.url ?? "", lineNumber: frame?.lineNumber ?? 0, columnNumber: frame?.columnNumber ?? 0 },
  };
}

function logEvent(entry: Protocol.Log.LogEntry, pageId: string): TraceEvent {
  return {
    type: "console",
    time: traceTime(),
    pageId,
    messageType: entry.level,
    text: withoutElided(entry.text),
    args: [],
    location: { url: entry.url ?? "", lineNumber: entry.lineNumber ?? 0, columnNumber: 0 },
  };
}

function pageErrorEvent(details: Protocol.Runtime.ExceptionDetails, pageId: string): TraceEvent {
  const stack = withoutElided(details.exception?.description ?? details.text);
  const [, name = "Error", message = stack] = /^(\w*Error): ([^\n]*)/.exec(stack) ?? [];
  return {
    type: "event",
    time: traceTime(),
    class: "BrowserContext",
    method: "pageError",
    pageId,
    params: {
      error: { error: { name, message, stack } },
      location: { url: details.url ?? "", line: details.lineNumber, column: details.columnNumber },
    },
  };
}

function preview(arg: Protocol.Runtime.RemoteObject): string {
  if (arg.type === "string") return String(arg.value);
  if (arg.unserializableValue !== undefined) return arg.unserializableValue;
  if (arg.preview) {
    const parts = arg.preview.properties.map((property) => {
      const value = property.value?.includes("…") ? "…" : property.value; // cut by Chrome: half a secret cannot be masked
      return arg.subtype === "array" ? value : `${property.name}: ${value}`;
    });
    return arg.subtype === "array" ? `[${parts.join(", ")}]` : `{${parts.join(", ")}}`;
  }
  return arg.value === undefined ? withoutElided(arg.description ?? arg.type) : String(arg.value);
}

/** Chrome shows a long address without its middle (KURL::ElidedString: 511 characters, `...`, 510): half a secret, which no masking knows again. */
const ELIDED_CHARS = 1_024;
export const withoutElided = (text: string): string =>
  text.replace(/\S+/g, (word) => (word.length >= ELIDED_CHARS && word.includes("...") ? "…" : word));
