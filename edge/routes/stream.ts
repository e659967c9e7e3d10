/** `/runs/{run_id}/stream`: the events of a run, from the first or from behind `Last-Event-ID`, as server-sent events. */
import { parseRunId } from "../../shared/ids.ts";
import type { Location } from "../../shared/node.ts";
import { parseFrames, parseLastEventId } from "../../shared/sse.ts";
import { type Call, type Content, type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type EventsDeps, type EventsRequest, openLiveEvents, openStoredEvents } from "../relay/event-sources.ts";
import { eventStream } from "../relay/event-stream.ts";
import { chunksOf, relayEvents } from "../relay/events.ts";
import { withIdleLimit } from "../relay/idle.ts";
import type { WireAnswer } from "../wire/exchange.ts";

export type StreamDeps = { events: EventsDeps; metrics: Metrics; log: Log; keepaliveMs?: number };

/** A run's events as an answer. Who may have them was settled before. */
export type RunEvents = (call: Call, runId: string) => Promise<Response>;

export function createRunEvents({ events, metrics, log, keepaliveMs = 15_000 }: StreamDeps): RunEvents {
  return async ({ c, head, ...call }, runId) => {
    const stop = new AbortController();
    const { signal } = c.req.raw;
    if (signal.aborted) stop.abort(signal.reason);
    signal.addEventListener("abort", () => stop.abort(signal.reason), { once: true });
    const lastId = parseLastEventId(c.req.raw.headers.get("last-event-id"));
    const request: EventsRequest = { runId, asker: askerOf(call), lastId, signal: stop.signal };
    const kept = events.locate.kept(runId, request.asker);
    const location = kept ?? (await events.locate.ask(runId, request));
    const headers = { ...head, "Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no" };
    if (c.req.raw.method === "HEAD") return new Response(null, { headers });

    const beginning = lastId > 0 || kept ? await begin(events, request, { location, isKept: kept !== null }) : { location };
    if (beginning === null) return new Response(null, { status: 204, headers: head });
    const body = eventStream(relayEvents(events, request, beginning), {
      keepaliveMs,
      breakOff: c.env?.breakOff,
      onPassed: (bytes) => metrics.relayed("events", bytes),
      onEnd: metrics.streamOpened("events"),
      onBroken: (error) => log.info("An event stream broke off", { run_id: request.runId, request_id: call.requestId, error }),
      stop: (reason) => stop.abort(reason),
    });
    return new Response(body, { headers });
  };
}

export const STREAM_HEADERS = { "Last-Event-ID": "Only events behind this id. Anything that is no number counts as 0" };
export const STREAM_ANSWERS: Record<number, Content> = {
  200: { description: "The events (schema of each `data`: Event)", mediaType: "text/event-stream" },
  204: { description: "The run is over, and the client has all its events" },
};

export function streamEndpoints({ runEvents }: { runEvents: RunEvents }): Endpoint[] {
  return [
    endpoint({
      method: "GET",
      path: "/runs/{run_id}/stream",
      scope: "read",
      summary: "Follow a run",
      description:
        "Past events first, then live ones, `complete` last. Ids are 1, 2, 3 … without a gap. A broken connection is resumed with `Last-Event-ID`; 204 says that there is nothing left to resume.",
      headers: STREAM_HEADERS,
      answers: STREAM_ANSWERS,
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      handle: (call) => runEvents(call, parseRunId(param(call.c, "run_id"))),
    }),
  ];
}

/** Where the relay begins: a place, and its live stream if that is open already. */
type Beginning = { location: Location; opened?: WireAnswer };

/**
 * Is the run still where it was once found, and, for a client that resumes, is there anything left? null: no, and `EventSource` shall stop. A live
 * stream that was opened to find out is handed on. @throws NOT_FOUND it was deleted
 */
async function begin(
  events: EventsDeps,
  request: EventsRequest,
  { location, isKept }: { location: Location; isKept: boolean },
): Promise<Beginning | null> {
  if (location.state === "live") {
    try {
      const opened = await openLiveEvents(events, request, location);
      return opened && { location, opened };
    } catch {
      request.signal.throwIfAborted(); // else: the run may have ended since it was found there
    }
    events.locate.drop(request.runId, request.asker);
  }
  const found = isKept || location.state === "live" ? await events.locate.ask(request.runId, request) : location;
  return found.state === "stored" && request.lastId > 0 && (await isAtEnd(events, request)) ? null : { location: found };
}

async function isAtEnd(events: EventsDeps, request: EventsRequest): Promise<boolean> {
  let stored: WireAnswer | null = null;
  try {
    stored = await openStoredEvents(events, request);
    if (stored === null) return true;
    for await (const { data } of parseFrames(chunksOf(withIdleLimit(stored.read, events.idleMs)))) if (data !== null) return false;
    return true;
  } catch {
    request.signal.throwIfAborted();
    return false; // the relay asks again, and knows what to do when nobody answers
  } finally {
    stored?.cancel();
  }
}
