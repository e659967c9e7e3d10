/** "Live first, stored only when nothing live was sent", for everything that belongs to a run. */
import { AppError } from "../../shared/errors.ts";
import type { Location } from "../../shared/node.ts";
import { firstAnswer } from "./first-answer.ts";
import type { Locate } from "./locate.ts";
import type { KnownNode, Members, StoredTeller } from "./members.ts";
import { type Asker, isNodeFailure } from "./node-client.ts";

export type LiveFirst = <T>(
  runId: string,
  sources: {
    /** Asks the owner. Whatever it throws, nothing was sent to the client yet. */
    live(owner: KnownNode): Promise<T>;
    /** Asks any node, or the bucket. `instead`: the run lives, and its live source has just failed. */
    stored(source: StoredTeller, instead: boolean): Promise<T>;
  },
  /** `ownerKnows`: what the run's node does not have is not there. Else, as with a trace, it may still come. */
  options: { asker: Asker; signal?: AbortSignal; ownerKnows?: boolean },
) => Promise<T>;

/** @throws from the function returned: NOT_FOUND with its reason once the run is over; POOL_UNREACHABLE while it lives, or when no node answers */
export function createLiveFirst(members: Members, locate: Locate): LiveFirst {
  return async (runId, { live, stored }, { asker, signal, ownerKnows = false }) => {
    const kept = locate.kept(runId, asker);
    let location = kept ?? (await locate.ask(runId, { asker, signal }));
    let failure: unknown = null; // of the live source

    const tryLive = async (at: Location) => {
      const owner = at.state === "live" && at.node_id !== null ? members.find(at.node_id, at.node_url) : null;
      if (!owner) return null;
      try {
        return { value: await live(owner) };
      } catch (error) {
        signal?.throwIfAborted(); // the client left: nobody waits for stored bytes
        locate.drop(runId, asker);
        failure = error;
        return null;
      }
    };

    let found = await tryLive(location);
    if (!found && failure !== null && kept) {
      const moved = await locate.ask(runId, { asker, signal }); // what was kept is stale, or the owner is not well
      if (moved.node_id !== location.node_id || moved.state !== location.state) found = await tryLive(moved);
      location = moved;
    }
    if (found) return found.value;

    try {
      const instead = location.state === "live";
      return await firstAnswer(members.storedTellers(), (source) => stored(source, instead), { isFailure: isNodeFailure, signal });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "NOT_FOUND") throw error;
      locate.drop(runId, asker);
      const isMissing = ownerKnows && failure instanceof AppError && failure.code === "NOT_FOUND";
      throw isMissing ? failure : nothingStored(location, error, failure);
    }
  };
}

/** Neither live nor stored. A run that lives may still bring it, so the client shall come back; one that is over will not. */
function nothingStored(location: Location, notFound: AppError, failure: unknown): AppError {
  if (location.state === "stored") return notFound;
  if (failure instanceof AppError && failure.details?.reason === "disabled") return failure; // and never will
  const reason = location.state === "queued" ? "not_started" : "live_failed";
  const message = location.state === "queued" ? "The run has not started yet" : "The run's node did not give it, and nothing is stored yet";
  return new AppError("POOL_UNREACHABLE", message, { cause: failure ?? notFound, details: { reason }, retryAfterS: 2 });
}
