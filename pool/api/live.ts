/** `/live/runs/{id}`: served by the node that owns the run, out of its session. 404 anywhere else. */

import type { Context } from "hono";
import { Hono } from "hono";
import { AppError } from "../../shared/errors.ts";
import { type Manifest, SCREENSHOTS_FOLDER, TRACE_FILE } from "../../shared/recording.ts";
import { parseLastEventId } from "../../shared/sse.ts";
import type { LiveRun } from "../session/live-runs.ts";
import { FileBody } from "../volume/file-body.ts";
import { openWithin } from "../volume/safe-path.ts";
import type { ApiDeps } from "./api-deps.ts";
import { ARTIFACT_HEADERS, contentType, disposition } from "./artifact-response.ts";
import { toBody } from "./body.ts";
import { eventStream } from "./event-stream.ts";
import { callerOf, runIdOf } from "./request.ts";

export function liveRoutes({ live }: Pick<ApiDeps, "live">): Hono {
  const runOf = (c: Context): LiveRun => {
    const run = live.get(runIdOf(c));
    const caller = callerOf(c);
    if (!run || (caller !== null && run.apiKeyName !== caller)) throw new AppError("NOT_FOUND", "The run is not live on this node");
    return run;
  };

  const file = async (c: Context, run: LiveRun, path: string): Promise<Response> => {
    const known = (await run.artifacts()).some(({ name }) => name === path);
    const opened = known ? await openWithin(run.dir, path) : null;
    if (!opened) throw new AppError("NOT_FOUND", "The run has no such artifact so far");
    const isHead = c.req.method === "HEAD";
    if (isHead) await opened.close();
    const body = isHead ? null : toBody(new FileBody(opened, 0, Number.POSITIVE_INFINITY)); // which closes the file
    return new Response(body, {
      headers: { "Content-Type": contentType(path), "Content-Disposition": disposition(path), ...ARTIFACT_HEADERS },
    });
  };

  return new Hono()
    .get("/:run_id", (c) => c.json(runOf(c).toRun()))
    .get("/:run_id/stream", async (c) => {
      const log = await runOf(c).events();
      const after = parseLastEventId(c.req.header("Last-Event-ID"));
      if (log.isComplete && after >= log.lastId) return c.body(null, 204);
      return eventStream((signal) => log.read(after, signal));
    })
    .get("/:run_id/recording/manifest", async (c) => {
      const run = runOf(c);
      const manifest: Manifest = { run_id: run.runId, state: run.toRun().recording.state, artifacts: await run.artifacts() };
      return c.json(manifest);
    })
    .get("/:run_id/recording/trace", async (c) => {
      const run = runOf(c);
      const zip = await run.trace();
      if (!zip) {
        const details = run.keepsTrace ? {} : { details: { reason: "disabled" } };
        throw new AppError("NOT_FOUND", "The run has no trace", details);
      }
      const headers = { "Content-Type": "application/zip", "Content-Disposition": disposition(TRACE_FILE), ...ARTIFACT_HEADERS };
      return new Response(toBody(zip), { headers });
    })
    .get("/:run_id/recording/screenshots/:name", (c) => file(c, runOf(c), `${SCREENSHOTS_FOLDER}/${c.req.param("name")}`))
    .get("/:run_id/recording/files/:path{.+}", (c) => {
      const run = runOf(c);
      const path = c.req.param("path");
      if (path === TRACE_FILE) throw new AppError("NOT_FOUND", "The trace is not finished yet; recording/trace gives what there is");
      return file(c, run, path);
    });
}
