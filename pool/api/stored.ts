/** `/stored/runs/{id}`: from store and volume, by any node. */

import type { Context } from "hono";
import { Hono } from "hono";
import { AppError } from "../../shared/errors.ts";
import type { NumberedEvent } from "../../shared/event.ts";
import { SCREENSHOTS_FOLDER, TRACE_FILE } from "../../shared/recording.ts";
import { isTerminal } from "../../shared/run-status.ts";
import { parseLastEventId } from "../../shared/sse.ts";
import { readEvents } from "../store/events.ts";
import { noSuchRun, type RunRow, readRow } from "../store/runs.ts";
import type { Sql } from "../store/sql.ts";
import { keepsTrace, readRun } from "../store/to-run.ts";
import type { ApiDeps } from "./api-deps.ts";
import { artifactResponse } from "./artifact-response.ts";
import { eventStream } from "./event-stream.ts";
import { callerOf, runIdOf } from "./request.ts";

const PAGE = 500;

export function storedRoutes({ store, volume }: Pick<ApiDeps, "store" | "volume">): Hono {
  const rowOf = async (c: Context): Promise<RunRow> => {
    const row = await readRow(store, runIdOf(c), callerOf(c));
    if (!row) throw await noSuchRun(store, runIdOf(c), callerOf(c));
    return row;
  };

  /** An artifact, or the reason why there is none. */
  const artifact = async (c: Context, path: string): Promise<Response> => {
    const row = await rowOf(c);
    if ((await volume.manifest(row.run_id)) === null) throw missing(row, path);
    if ((path === TRACE_FILE || isSwitchedOff(row, path)) && !(await volume.stat(row.run_id, path))) throw missing(row, path);
    return artifactResponse(volume, row.run_id, path, c.req.raw);
  };

  return new Hono()
    .get("/:run_id", async (c) => {
      const run = await readRun(store, runIdOf(c), callerOf(c));
      if (!run) throw await noSuchRun(store, runIdOf(c), callerOf(c));
      return c.json(run);
    })
    .get("/:run_id/stream", async (c) => {
      const row = await rowOf(c);
      const after = parseLastEventId(c.req.header("Last-Event-ID"));
      if (isTerminal(row.status) && after >= row.last_event_id) return c.body(null, 204);
      return eventStream((signal) => storedEvents(store, row.run_id, after, signal));
    })
    .get("/:run_id/recording/manifest", async (c) => {
      const row = await rowOf(c);
      const manifest = await volume.manifest(row.run_id);
      if (!manifest) throw missing(row, null);
      return c.json({ ...manifest, state: row.recording_state });
    })
    .get("/:run_id/recording/trace", (c) => artifact(c, TRACE_FILE))
    .get("/:run_id/recording/screenshots/:name", (c) => artifact(c, `${SCREENSHOTS_FOLDER}/${c.req.param("name")}`))
    .get("/:run_id/recording/files/:path{.+}", (c) => artifact(c, c.req.param("path")));
}

/** Ends after what is stored, whether the run is over or not. */
async function* storedEvents(sql: Sql, runId: string, afterId: number, signal: AbortSignal): AsyncGenerator<NumberedEvent> {
  let last = afterId;
  while (!signal.aborted) {
    const page = await readEvents(sql, runId, last, PAGE);
    yield* page;
    if (page.length < PAGE) return;
    last = page.at(-1)?.id ?? last;
  }
}

function missing(row: RunRow, path: string | null): AppError {
  const reason = missingReason(row, path);
  const message = reason === "disabled" ? "The request switched this part of the recording off" : "Nothing of this recording is stored";
  return new AppError("NOT_FOUND", message, { details: reason ? { reason } : { status: row.status } });
}

/** Why this artifact is not stored, where that is known; null as path: why nothing is. */
export function missingReason(row: Pick<RunRow, "request" | "recording_state" | "claimed_at" | "settled_at">, path: string | null) {
  if (path !== null && isSwitchedOff(row, path)) return "disabled";
  if (row.recording_state === "lost") return "node_lost";
  return row.claimed_at !== null && row.settled_at !== null ? "persist_failed" : null; // one that never started has nothing to store
}

/** Was it not asked for? Status, events and action log are kept of every run. */
function isSwitchedOff({ request }: Pick<RunRow, "request">, path: string): boolean {
  const { enabled, screenshots } = request.recording;
  if (path === TRACE_FILE) return !keepsTrace(request);
  return path.startsWith(`${SCREENSHOTS_FOLDER}/`) && (!enabled || !screenshots);
}
