/** What a page says by itself: console messages and uncaught errors, over a CDP session of our own, so that the run's own is untouched. */
import type { CDPSession, Page, Protocol } from "puppeteer-core";
import { type TraceEvent, traceTime } from "./trace-events.ts";

const CALL_LIMIT_MS = 5_000;
const MAX_ARGS = 20;
/** Logged objects stay in the page's memory until they are let go. */
const RELEASE_EVERY = 50;

/** Resolves once the page is listened to. @throws when it cannot be, as when it has closed already */
export async function watchPage(page: Page, pageId: string, write: (event: TraceEvent) => void): Promise<CDPSession> {
  const session = await page.createCDPSession();
  let held = 0;
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
  return session;
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
    text: entry.text,
    args: [],
    location: { url: entry.url ?? "", lineNumber: entry.lineNumber ?? 0, columnNumber: 0 },
  };
}

function pageErrorEvent(details: Protocol.Runtime.ExceptionDetails, pageId: string): TraceEvent {
  const stack = details.exception?.description ?? details.text;
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
      const value = property.type === "string" && property.value?.includes("…") ? "…" : property.value; // cut by Chrome: half a secret cannot be masked
      return arg.subtype === "array" ? value : `${property.name}: ${value}`;
    });
    return arg.subtype === "array" ? `[${parts.join(", ")}]` : `{${parts.join(", ")}}`;
  }
  return arg.value === undefined ? (arg.description ?? arg.type) : String(arg.value);
}
