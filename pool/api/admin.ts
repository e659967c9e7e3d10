/** `/admin`: what an operator sees and asks of this node; sessions, queue and audit log through the store, of the whole pool. */
import { type Context, Hono } from "hono";
import {
  ADMIN_KEY_NAME_HEADER,
  AuditQuerySchema,
  DrainQuerySchema,
  EXPECTED_NODE_HEADER,
  HealthQuerySchema,
  QueueQuerySchema,
} from "../../shared/admin.ts";
import { AppError } from "../../shared/errors.ts";
import { REQUEST_ID_HEADER } from "../../shared/node.ts";
import { isTerminal, type RunStatus } from "../../shared/run-status.ts";
import { killedByOperator } from "../session/outcome.ts";
import { type NewAuditEntry, readAudit, readQueueHead, readSessions, writeAudit } from "../store/admin.ts";
import { readStatus } from "../store/runs.ts";
import type { ApiDeps } from "./api-deps.ts";
import { queryOf, runIdOf } from "./request.ts";

export function adminRoutes({ browsers, info, drain, resume, live, canary, requestStop, store, log }: ApiDeps): Hono {
  /**
   * Told in the node's log before it is done, in the audit log after it, which is when it had an effect. It is done though the store is away: an operator may
   * be here for that very reason. Then the node's log alone tells of it.
   */
  const audited = async <T>(c: Context, action: NewAuditEntry["action"], target: string, act: () => T | Promise<T>): Promise<T> => {
    const key_name = c.req.header(ADMIN_KEY_NAME_HEADER) ?? null;
    const entry = { action, target, key_name, request_id: c.req.header(REQUEST_ID_HEADER) ?? null };
    log.info("An operator acts", entry);
    const done = await act();
    await writeAudit(store, info(), entry).catch((error: unknown) => log.error("The audit log could not be written", { ...entry, error }));
    return done;
  };

  /** The run's status afterwards. Killed here, it may have gone on to another attempt all the same: what it was lost to came first. */
  const kill = async (runId: string): Promise<RunStatus> => {
    const session = live.get(runId);
    if (!session) return await requestStop(runId, null, killedByOperator()); // it waits, or is another node's, which is asked itself first
    session.kill(killedByOperator());
    await session.over;
    const status = (await readStatus(store, runId).catch(() => null)) ?? session.toRun().status;
    return isTerminal(status) ? status : await requestStop(runId, null, killedByOperator());
  };

  const numberOf = (id: string): number => {
    const { node_id } = info();
    const n = id.startsWith(`${node_id}.`) ? Number(id.slice(node_id.length + 1)) : Number.NaN;
    if (!Number.isSafeInteger(n)) throw new AppError("NOT_FOUND", "This node has no such browser");
    return n;
  };

  return new Hono()
    .use((c, next) => {
      const expected = c.req.header(EXPECTED_NODE_HEADER);
      if (expected === undefined || expected === info().node_id) return next();
      throw new AppError("NOT_FOUND", "The node with this id is gone: another answers at its address");
    })
    .get("/browsers", async (c) => c.json({ browsers: await browsers.measured() }))
    .post("/browsers/:id/recycle", async (c) => {
      const id = c.req.param("id");
      return c.json(await audited(c, "recycle_browser", id, () => browsers.recycle(numberOf(id))));
    })
    .post("/browsers/:id/kill", async (c) => {
      const id = c.req.param("id");
      return c.json(await audited(c, "kill_browser", id, () => browsers.kill(numberOf(id))));
    })
    .post("/drain", async (c) => {
      const { grace_s = null } = queryOf(c, DrainQuerySchema);
      await audited(c, "drain", info().node_id, () => drain(grace_s));
      return c.json(info());
    })
    .post("/resume", async (c) => {
      await audited(c, "resume", info().node_id, resume);
      return c.json(info());
    })
    .get("/health", async (c) => c.json(await canary.check({ fresh: queryOf(c, HealthQuerySchema).fresh === "true" })))
    .get("/sessions", async (c) => c.json(await readSessions(store)))
    .post("/sessions/:run_id/kill", async (c) => {
      const runId = runIdOf(c);
      const before = live.get(runId)?.toRun().status ?? (await readStatus(store, runId));
      if (before !== null && isTerminal(before)) return c.json({ run_id: runId, status: before });
      const status = await audited(c, "kill_session", runId, () => kill(runId));
      if (isTerminal(status)) return c.json({ run_id: runId, status });
      throw new AppError("CONFLICT", "The run is not in hand on this node; it was asked to stop", { details: { status } });
    })
    .get("/queue", async (c) => c.json(await readQueueHead(store, new Date(), queryOf(c, QueueQuerySchema).limit)))
    .get("/audit", async (c) => c.json(await readAudit(store, queryOf(c, AuditQuerySchema))));
}
