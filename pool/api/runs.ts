/** `/runs` of a node: through the store, so that any node may answer. */
import { Hono } from "hono";
import { z } from "zod";
import { AppError, validationFailed } from "../../shared/errors.ts";
import { IDEMPOTENCY_HEADER, LocationQuerySchema } from "../../shared/node.ts";
import { CreateRunSchema, ListRunsSchema, runCreated, type Stopped } from "../../shared/run.ts";
import { isTerminal, type RunStatus } from "../../shared/run-status.ts";
import { TRACEPARENT_HEADER } from "../../shared/tracing.ts";
import { admit, dryRun } from "../session/admission.ts";
import { recallIfKnown } from "../store/idempotency.ts";
import { awaitLocation, readLocation } from "../store/location.ts";
import { listRuns } from "../store/run-list.ts";
import { assertDeletable, deleteRun, noSuchRun, readStatus } from "../store/runs.ts";
import type { ApiDeps } from "./api-deps.ts";
import { bodyOf, callerOf, queryOf, runIdOf } from "./request.ts";

const STOP_WAIT_MS = 10_000;
const MAX_KEY_CHARS = 200;
const CreateQuerySchema = z.object({ dry_run: z.enum(["true", "false"]).default("false") });

export function runRoutes(deps: ApiDeps): Hono {
  const { store, changes, volume, seal } = deps;

  const ownStatus = async (runId: string, caller: string | null): Promise<RunStatus> => {
    const status = await readStatus(store, runId, caller);
    if (!status) throw await noSuchRun(store, runId, caller);
    return status;
  };

  return new Hono()
    .post("/", async (c) => {
      const body = await bodyOf(c, CreateRunSchema);
      if (queryOf(c, CreateQuerySchema).dry_run === "true") return c.json(await dryRun(deps.admission, body));
      const key = c.req.header(IDEMPOTENCY_HEADER);
      if (key !== undefined && (key.length === 0 || key.length > MAX_KEY_CHARS)) {
        throw validationFailed("The request", [{ path: IDEMPOTENCY_HEADER, message: `Expected 1 to ${MAX_KEY_CHARS} characters` }]);
      }
      const idempotency = key === undefined ? null : { key, digest: seal.digest(body) };
      try {
        const run = await admit(deps.admission, body, callerOf(c));
        if (deps.draining())
          throw new AppError("POOL_SATURATED", "This node drains and takes no runs", { retryAfterS: 5, details: { reason: "draining" } });
        const created = await deps.createRun(run, idempotency, c.req.header(TRACEPARENT_HEADER) ?? null);
        return c.json(runCreated(created.run_id, created.status), 202);
      } catch (error) {
        // What was accepted once stays accepted, though its playbook has changed since, or this node drains.
        const known = idempotency && (await recallIfKnown(store, callerOf(c), idempotency).catch(() => null));
        if (known) return c.json(runCreated(known.run_id, known.status), 202);
        throw error;
      }
    })
    .get("/", async (c) => c.json(await listRuns(store, queryOf(c, ListRunsSchema), callerOf(c))))
    .delete("/:run_id", async (c) => {
      const runId = runIdOf(c);
      await assertDeletable(store, runId, callerOf(c));
      await volume.remove(runId); // first: a row without artifacts can be deleted again, artifacts without a row are found by nobody
      await deleteRun(store, runId, callerOf(c));
      return c.body(null, 204);
    })
    .post("/:run_id/stop", async (c) => {
      const runId = runIdOf(c);
      const caller = callerOf(c);
      const over = AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(STOP_WAIT_MS)]);
      let latest = await deps.requestStop(runId, caller);
      while (!isTerminal(latest) && !over.aborted) {
        const changed = changes.waitForChange(runId, over).catch(() => {}); // over: one last look
        latest = await ownStatus(runId, caller);
        if (!isTerminal(latest)) await changed;
      }
      const answer: Stopped = { run_id: runId, status: isTerminal(latest) ? latest : await ownStatus(runId, caller) };
      return c.json(answer);
    })
    .get("/:run_id/location", async (c) => {
      const runId = runIdOf(c);
      const { known, wait_s } = queryOf(c, LocationQuerySchema);
      const apiKeyName = callerOf(c);
      const location =
        known === undefined
          ? await readLocation(store, runId, apiKeyName)
          : await awaitLocation({ sql: store, changes, signal: c.req.raw.signal, apiKeyName }, runId, known, wait_s);
      if (!location) throw await noSuchRun(store, runId, apiKeyName);
      return c.json(location);
    });
}
