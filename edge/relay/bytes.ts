/** Bytes of a run: the live ones; the stored ones, whole, if the live source fails before its first byte; a broken connection if it fails later. */
import { AppError } from "../../shared/errors.ts";
import type { LiveFirst } from "../nodes/live-first.ts";
import { type Asker, readNodeError } from "../nodes/node-client.ts";
import type { WireAnswer } from "../wire/exchange.ts";
import { type Primed, prime } from "./primed.ts";

export type BytesRequest = {
  runId: string;
  /** Below the run: `/recording/trace`. */
  path: string;
  /** See live-first.ts. */
  ownerKnows: boolean;
  headOnly: boolean;
  /** Conditions and ranges as the client sent them; they hold for stored bytes only. */
  conditions: Record<string, string>;
  asker: Asker;
  /** Until the first byte is there. After that, cancelling the stream ends it. */
  signal?: AbortSignal;
};

/** `whole`: 200 without length, whatever was asked for. Live ones are; so are stored ones that stand in for a live source. */
export type OpenedBytes = Primed & { from: "live" | "stored"; whole: boolean };

const STORED_STATUSES = [200, 206, 304];

/**
 * Opens the source and waits for its first byte, so that what is then said of it is true.
 * @throws NOT_FOUND, POOL_UNREACHABLE, UPSTREAM_TIMEOUT; the signal's reason when the client left
 */
export function openBytes(liveFirst: LiveFirst, idleMs: number, request: BytesRequest): Promise<OpenedBytes> {
  const { runId, path, ownerKnows, headOnly, conditions, asker, signal } = request;
  return liveFirst(
    runId,
    {
      async live({ client }): Promise<OpenedBytes> {
        const answer = await client.open("GET", `/live/runs/${runId}${path}`, { asker, signal, limitMs: idleMs });
        if (answer.status !== 200) throw await readNodeError(answer);
        const primed = await prime(answer, idleMs);
        if (primed.first === null)
          throw new AppError("POOL_UNREACHABLE", "The live source ended without a byte", { details: { reason: "empty" } });
        if (headOnly) answer.cancel();
        return { ...primed, from: "live", whole: true };
      },
      async stored({ client }, instead): Promise<OpenedBytes> {
        const headers = instead ? {} : conditions;
        const answer = await client.open(headOnly ? "HEAD" : "GET", `/stored/runs/${runId}${path}`, {
          asker,
          headers,
          signal,
          limitMs: idleMs,
        });
        if (instead ? answer.status !== 200 : !STORED_STATUSES.includes(answer.status)) throw await refusal(answer, headOnly);
        return { ...(await prime(answer, idleMs)), from: "stored", whole: instead };
      },
    },
    { asker, signal, ownerKnows },
  );
}

async function refusal(answer: WireAnswer, headOnly: boolean): Promise<AppError> {
  const [, size] = /^bytes \*\/(\d+)$/.exec(answer.field("content-range") ?? "") ?? [];
  const error = await readNodeError(answer);
  if (answer.status === 416)
    return new AppError("RANGE_NOT_SATISFIABLE", "The range lies outside of it", { details: size ? { bytes: Number(size) } : {} });
  if (answer.status === 404 && headOnly) return new AppError("NOT_FOUND", "Nothing is stored"); // the answer to a HEAD has no body to say more
  return error;
}
