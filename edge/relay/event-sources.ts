/** Where a run's events come from: its owner, or any node's store, or the bucket. */
import { AppError } from "../../shared/errors.ts";
import type { Location } from "../../shared/node.ts";
import { firstAnswer } from "../nodes/first-answer.ts";
import type { Locate } from "../nodes/locate.ts";
import type { Members } from "../nodes/members.ts";
import { type Asker, isNodeFailure, readNodeError, type StoredSource } from "../nodes/node-client.ts";
import type { WireAnswer } from "../wire/exchange.ts";

export type EventsDeps = {
  members: Members;
  locate: Locate;
  /** A source silent for so long has failed. */
  idleMs: number;
  /** Without a sign of life for so long, the relay gives up. */
  giveUpMs: number;
  backoffMs: { least: number; most: number };
  /** How long a node is asked to wait for a queued run's turn. */
  queuedWaitS: number;
};

export const EVENTS_LIMITS = { giveUpMs: 30_000, backoffMs: { least: 100, most: 2_000 }, queuedWaitS: 20 };

export type EventsRequest = { runId: string; asker: Asker; lastId: number; signal: AbortSignal };

const OPEN_LIMIT_MS = 5_000;

/** The owner's stream from behind `lastId`. null: the run is over and nothing stands behind that id. */
export async function openLiveEvents({ members }: EventsDeps, request: EventsRequest, at: Location): Promise<WireAnswer | null> {
  const owner = at.node_id === null ? null : members.find(at.node_id, at.node_url);
  if (!owner) throw new AppError("POOL_UNREACHABLE", "The run's owner is not known");
  return open(owner.client, "live", request);
}

/** The stored events behind `lastId`, from any node or the bucket. null as above. */
export function openStoredEvents({ members }: EventsDeps, request: EventsRequest): Promise<WireAnswer | null> {
  return firstAnswer(members.storedTellers(), ({ client }) => open(client, "stored", request), {
    isFailure: isNodeFailure,
    signal: request.signal,
  });
}

async function open(
  client: StoredSource,
  from: "live" | "stored",
  { runId, asker, lastId, signal }: EventsRequest,
): Promise<WireAnswer | null> {
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (lastId > 0) headers["last-event-id"] = String(lastId);
  const answer = await client.open("GET", `/${from}/runs/${runId}/stream`, { asker, headers, signal, limitMs: OPEN_LIMIT_MS });
  if (answer.status === 204) return null;
  if (answer.status === 200 && answer.field("content-type")?.startsWith("text/event-stream")) return answer;
  if (answer.status !== 200) throw await readNodeError(answer);
  answer.cancel();
  throw notEvents();
}

export const notEvents = (): AppError =>
  new AppError("POOL_UNREACHABLE", "A node sent something that is no event stream of ours", {
    details: { reason: "garbage" },
    retryAfterS: 1,
  });
