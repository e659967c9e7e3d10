/**
 * The trace format: version 8 of what Playwright's Trace Viewer reads, as schemas, and what must hold between its lines.
 * Source: playwright-core 1.53–1.65. The format is private to Playwright, so nothing outside this file knows a field of it.
 * Viewers refuse or go blank over one bad line, therefore each event is checked when it is written.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { type Clean, cleanDeep } from "./clean.ts";
import { blob, FrameSnapshot, pageId, ResourceSnapshot, size } from "./trace-captures.ts";

/** Every viewer from 1.53 on opens version 8; newer versions open only in the newest. */
export const TRACE_VERSION = 8;

const name = z.string().min(1);
/** Milliseconds of one monotonic clock, the recorder's. */
const time = z.number();
const point = z.object({ x: z.number(), y: z.number() });
const box = z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() });
const values = z.record(z.string(), z.unknown());
const location = z.object({ url: z.string(), lineNumber: z.number(), columnNumber: z.number() });

const Context = z.strictObject({
  type: z.literal("context-options"),
  version: z.literal(TRACE_VERSION),
  origin: z.literal("library"), // without it the viewer shows neither title nor browser
  browserName: name,
  channel: z.string().optional(),
  platform: name,
  playwrightVersion: name,
  title: z.string(),
  wallTime: z.number(),
  monotonicTime: time,
  sdkLanguage: z.literal("javascript"),
  options: z.strictObject({ viewport: size, deviceScaleFactor: z.number(), isMobile: z.boolean(), userAgent: z.string().optional() }),
  contextId: z.string().optional(),
});

const Before = z.strictObject({
  type: z.literal("before"),
  callId: name,
  startTime: time,
  class: name,
  method: name,
  title: z.string().optional(),
  params: values,
  parentId: name.optional(),
  pageId: pageId.optional(),
  /** Where in the playbook it comes from; the viewer asks for the text of `file` by the name that `sourceName` gives it. */
  stack: z.array(z.strictObject({ file: name, line: z.int().min(1), column: z.int().min(1), function: z.string().optional() })).optional(),
  beforeSnapshot: name.optional(),
});

const Input = z.strictObject({
  type: z.literal("input"),
  callId: name,
  point: point.optional(),
  box: box.optional(),
  inputSnapshot: name.optional(),
});
const Log = z.strictObject({ type: z.literal("log"), callId: name, time, message: z.string() });

const After = z.strictObject({
  type: z.literal("after"),
  callId: name,
  endTime: time,
  result: values.optional(),
  error: z.strictObject({ name: z.string(), message: z.string() }).optional(),
  afterSnapshot: name.optional(),
});

const Console = z.strictObject({
  type: z.literal("console"),
  time,
  pageId: pageId.optional(),
  messageType: name,
  text: z.string(),
  args: z.array(z.strictObject({ preview: z.string(), value: z.unknown() })),
  location,
});

const PageEvent = z.strictObject({
  type: z.literal("event"),
  time,
  class: z.literal("BrowserContext"),
  method: z.enum(["page", "pageClosed", "pageError", "dialog", "download"]),
  params: values,
  pageId: pageId.optional(),
});

const Stdout = z.strictObject({ type: z.literal("stdout"), timestamp: time, text: z.string() });

/** One picture of the film strip. `width` and `height`: the page in CSS px; only the ratio matters. */
const FilmFrame = z.strictObject({
  type: z.literal("screencast-frame"),
  pageId,
  sha1: blob,
  width: z.number().positive(),
  height: z.number().positive(),
  timestamp: time,
  /** When it was shown, in the time of the day: which picture stands behind a canvas. */
  frameSwapWallTime: z.number().optional(),
});

export const TraceEventSchema = z.discriminatedUnion("type", [
  Context,
  Before,
  Input,
  Log,
  After,
  Console,
  PageEvent,
  Stdout,
  FilmFrame,
  FrameSnapshot,
  ResourceSnapshot,
]);
export type TraceEvent = z.infer<typeof TraceEventSchema>;

/** Which calls a trace has opened and not closed. The viewer refuses a whole trace over one `input` or `after` without its `before`. */
export class TraceOrder {
  readonly #seen = new Set<string>();
  readonly #open = new Map<string, { parentId: string | undefined; group: boolean }>();
  #started = false;
  #lastTime = 0;

  /** Takes the event into account if it may stand here; false if it must not be written. */
  admit(event: TraceEvent): boolean {
    if (this.#started === (event.type === "context-options")) return false; // first, and only once
    this.#started = true;
    switch (event.type) {
      case "before":
        if (this.#seen.has(event.callId)) return false;
        this.#seen.add(event.callId);
        this.#open.set(event.callId, { parentId: event.parentId, group: isGroup(event) });
        break;
      case "input":
      case "log":
        if (!this.#open.has(event.callId)) return false;
        break;
      case "frame-snapshot":
        if (!this.#seen.has(event.snapshot.callId)) return false;
        break;
      case "after":
        if (!this.#open.delete(event.callId)) return false;
        break;
    }
    this.#lastTime = Math.max(this.#lastTime, timeOf(event));
    return true;
  }

  /** Ends whatever is open, innermost first; actions with `reason`, groups without. */
  closing(reason: string, at: number = this.#lastTime): TraceEvent[] {
    return [...this.#open].reverse().map(([callId, { group }]) => ({
      type: "after",
      callId,
      endTime: at,
      ...(group ? {} : { error: { name: "Error", message: reason } }),
    }));
  }
}

const isGroup = (event: { class: string; method: string }) => event.class === "Tracing" && event.method === "tracingGroup";

function timeOf(event: TraceEvent): number {
  if ("startTime" in event) return event.startTime;
  if ("endTime" in event) return event.endTime;
  if ("time" in event) return event.time;
  if ("timestamp" in event) return event.timestamp;
  return "monotonicTime" in event ? event.monotonicTime : 0;
}

/** Names of the blobs that an event shows. */
export function blobsOf(event: TraceEvent): string[] {
  switch (event.type) {
    case "screencast-frame":
      return [event.sha1];
    case "frame-snapshot":
      return event.snapshot.resourceOverrides.flatMap(({ sha1 }) => sha1 ?? []);
    case "resource-snapshot":
      return [event.snapshot.request.postData?._sha1, event.snapshot.response.content._sha1].filter((each) => each !== undefined);
    case "before":
      return (event.stack ?? []).map(({ file }) => sourceName(file));
    default:
      return [];
  }
}

/** The blob that holds the text of a source file. */
export const sourceName = (file: string): string => `src@${createHash("sha1").update(file).digest("hex")}.txt`;

/** Now, on the clock of all events. */
export const traceTime = (): number => Math.round(performance.now() * 1000) / 1000;

/** A line in the viewer's console. */
export const remark = (text: string): TraceEvent => ({ type: "stdout", timestamp: traceTime(), text: `${text}\n` });

/** Parts of each event that are ours and have a meaning for the viewer: nothing from outside is in them, and they must stay as they are. */
const NAMING: Record<TraceEvent["type"], ReadonlySet<string>> = {
  "context-options": new Set(["contextId", "origin", "browserName", "platform", "playwrightVersion", "sdkLanguage"]),
  before: new Set(["callId", "parentId", "pageId", "class", "method", "stack.file", "beforeSnapshot"]),
  input: new Set(["callId", "inputSnapshot"]),
  log: new Set(["callId"]),
  after: new Set(["callId", "afterSnapshot"]),
  console: new Set(["pageId", "messageType"]),
  event: new Set(["class", "method", "pageId"]),
  stdout: new Set(),
  "screencast-frame": new Set(["pageId", "sha1"]),
  "frame-snapshot": new Set([
    ...["callId", "snapshotName", "pageId", "frameId"].map((each) => `snapshot.${each}`),
    "snapshot.resourceOverrides.sha1",
  ]),
  "resource-snapshot": new Set([
    ...["pageref", "startedDateTime", "_frameref", "_resourceType"].map((each) => `snapshot.${each}`),
    "snapshot.request.postData._sha1",
    "snapshot.response.content._sha1",
  ]),
};
/** Parts whose shape is not ours. */
const FREE = new Set(["params", "result", "value"]);

type ConsoleArg = { preview: string };

/** What a page logs in several arguments may be one secret. */
function cleanArgs(args: readonly ConsoleArg[], pieces: NonNullable<Clean["pieces"]>): ConsoleArg[] {
  const previews = pieces(args.map(({ preview }) => preview));
  return args.map((arg, i) => ({ ...arg, preview: previews[i] as string }));
}

/**
 * The event as one line, every text in it passed through `clean`; `html`, a snapshot's, is JSON already and masked. Throws what makes it
 * unreadable for a viewer.
 */
export function toLine(event: TraceEvent, clean: Clean, html?: string): string {
  const line = JSON.stringify(TraceEventSchema.parse(cleanFields(event, event.type, clean)));
  if (event.type !== "frame-snapshot") return `${line}\n`;
  if (html === undefined) throw new TypeError("A snapshot has nodes");
  return `${line.slice(0, -"}}".length)},"html":${html}}}\n`;
}

/** `path`: the names that lead to the value. */
function cleanFields(value: unknown, type: TraceEvent["type"], clean: Clean, path = ""): unknown {
  if (typeof value === "string") return path === "type" || NAMING[type].has(path) ? value : clean(value);
  if (Array.isArray(value)) return value.map((each) => cleanFields(each, type, clean, path));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => {
      if (key === "args" && type === "console" && clean.pieces) return [key, cleanArgs(each as ConsoleArg[], clean.pieces)];
      return [key, FREE.has(key) ? cleanDeep(each, clean) : cleanFields(each, type, clean, path === "" ? key : `${path}.${key}`)];
    }),
  );
}
