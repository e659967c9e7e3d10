/** The events of a run as one unbroken list, whatever source breaks: each id once, in order, without a gap, up to `complete`. */
import { pause } from "../../shared/deadline.ts";
import { AppError } from "../../shared/errors.ts";
import type { Location } from "../../shared/node.ts";
import { KEEPALIVE, parseFrames, type SseFrame } from "../../shared/sse.ts";
import type { WireAnswer } from "../wire/exchange.ts";
import { type EventsDeps, type EventsRequest, notEvents, openLiveEvents, openStoredEvents } from "./event-sources.ts";
import { withIdleLimit } from "./idle.ts";

/** What the relay knows between two sources. `troubleMs`: since when nothing has shown that the run is being followed; null: all is well. */
type Progress = { lastId: number; troubleMs: number | null; backoffMs: number };

/**
 * Frames, ready to be sent, and a comment for each new attempt.
 * @param from where the run was found, and its live stream if that is open already
 * @throws POOL_UNREACHABLE after `giveUpMs` without a sign of life, NOT_FOUND when the run was deleted, or the signal's reason
 */
export async function* relayEvents(
  deps: EventsDeps,
  request: EventsRequest,
  from: { location: Location; opened?: WireAnswer },
): AsyncGenerator<string> {
  const { signal } = request;
  const progress: Progress = { lastId: request.lastId, troubleMs: null, backoffMs: deps.backoffMs.least };
  let location: Location | null = from.location;
  let opened = from.opened;
  const behind = () => ({ ...request, lastId: progress.lastId });

  for (;;) {
    if (location?.state === "live") {
      try {
        const source: WireAnswer | null = opened ?? (await openLiveEvents(deps, behind(), location));
        opened = undefined;
        if (source === null || (yield* passOn(source, "live"))) return;
      } catch {
        signal.throwIfAborted(); // else: whatever it was, the store is asked next
      }
      deps.locate.drop(request.runId, request.asker);
      progress.troubleMs ??= Date.now();
    }

    try {
      const before = progress.lastId;
      const source = await openStoredEvents(deps, behind());
      if (source === null || (yield* passOn(source, "stored"))) return;
      if (location?.state === "stored") {
        if (before > 0 && before === progress.lastId) return; // over, and the client has it all
        progress.troubleMs ??= Date.now(); // over, and yet no end was stored: this source is broken
      }
    } catch (error) {
      signal.throwIfAborted();
      if (isGone(error)) throw error;
      progress.troubleMs ??= Date.now();
    }

    if (progress.troubleMs !== null && Date.now() - progress.troubleMs >= deps.giveUpMs) {
      throw new AppError("POOL_UNREACHABLE", "The run's events could not be followed for a while", {
        details: { last_id: progress.lastId },
      });
    }
    const queued = location?.state === "queued" && progress.troubleMs === null ? location : null;
    if (!queued) {
      yield KEEPALIVE;
      await pause(progress.backoffMs, signal);
      progress.backoffMs = Math.min(progress.backoffMs * 2, deps.backoffMs.most);
    }
    try {
      location = await deps.locate.ask(request.runId, {
        asker: request.asker,
        signal,
        ...(queued && { known: queued, waitS: deps.queuedWaitS }),
      });
      if (location.state === "queued") wellAgain(progress, deps); // nobody runs it yet, and a node says so
    } catch (error) {
      signal.throwIfAborted();
      if (isGone(error)) throw error;
      location = null;
      progress.troubleMs ??= Date.now();
    }
  }

  /** Passes on what is new. True once `complete` has come, passed on or not: the run is over. Throws when the source is broken or has a gap. */
  async function* passOn(source: WireAnswer, from: "live" | "stored"): AsyncGenerator<string, boolean> {
    const read = withIdleLimit(source.read, deps.idleMs);
    let comments = 0;
    try {
      for await (const frame of parseFrames(chunksOf(read))) {
        if (frame.data === null) {
          comments += 1; // the first comes with the head of every stream, also of one that breaks at once; the next after a silence
          if (from === "live" && comments > 1) progress.troubleMs = null; // the run's node is with it
          continue;
        }
        const { id, type } = identify(frame);
        if (id > progress.lastId + 1) throw new AppError("POOL_UNREACHABLE", "A node left out events", { details: { reason: "gap" } });
        if (id === progress.lastId + 1) {
          progress.lastId = id;
          wellAgain(progress, deps);
          yield `id: ${id}\nevent: ${type}\ndata: ${frame.data}\n\n`;
        }
        if (type === "complete") return true;
      }
      return false;
    } finally {
      source.cancel();
    }
  }
}

function wellAgain(progress: Progress, { backoffMs }: EventsDeps): void {
  progress.troubleMs = null;
  progress.backoffMs = backoffMs.least;
}

/** Number and type of a frame. The data stays as the node wrote it: a newer node may say more than this edge knows. @throws POOL_UNREACHABLE: no event of ours */
export function identify({ id, event, data }: SseFrame): { id: number; type: string } {
  const value = parseJson(data ?? "");
  const type = typeof value === "object" && value !== null && "type" in value ? value.type : null;
  if (id === null || !/^[1-9]\d{0,14}$/.test(id)) throw notEvents();
  if (typeof type !== "string" || !/^[a-z_]{1,50}$/.test(type) || (event !== null && event !== type) || data?.includes("\n"))
    throw notEvents();
  return { id: Number(id), type };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A source as `for await` takes it. Whoever leaves early cancels the source, not this. */
export async function* chunksOf(read: () => Promise<Uint8Array | null>): AsyncGenerator<Uint8Array> {
  for (let chunk = await read(); chunk !== null; chunk = await read()) yield chunk;
}

const isGone = (error: unknown): boolean => error instanceof AppError && error.code === "NOT_FOUND";
