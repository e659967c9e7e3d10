/** `/pool/sessions`, `/pool/queue`, `/pool/audit`: what is in hand, what waits, and who did what, for operators. */
import {
  AuditPageSchema,
  AuditQuerySchema,
  KilledSchema,
  QueueQuerySchema,
  QueueSchema,
  SessionInfoSchema,
  SessionsSchema,
} from "../../shared/admin.ts";
import { AppError } from "../../shared/errors.ts";
import { parseRunId } from "../../shared/ids.ts";
import { answerJson, passJson } from "../answers.ts";
import { type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { Asker } from "../nodes/node-client.ts";
import type { PoolClient } from "../nodes/pool-client.ts";

export function workEndpoints({ pool }: { pool: PoolClient }): Endpoint[] {
  const sessions = async (asker: Asker) => SessionsSchema.parse((await pool.any("GET", "/admin/sessions", { asker })).value).sessions;
  const sessionOf = async (runId: string, asker: Asker) => (await sessions(asker)).find(({ run_id }) => run_id === runId) ?? null;

  return [
    endpoint({
      method: "GET",
      path: "/pool/sessions",
      scope: "pool",
      summary: "List the runs that have a slot",
      answers: { 200: { description: "The one that has had it longest comes first", schema: SessionsSchema } },
      errors: POOL_ERRORS,
      handle: async ({ head, ...call }) => passJson(head, await pool.any("GET", "/admin/sessions", { asker: askerOf(call) })),
    }),
    endpoint({
      method: "GET",
      path: "/pool/sessions/{run_id}",
      scope: "pool",
      summary: "Read a session",
      answers: { 200: { description: "The session", schema: SessionInfoSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const session = await sessionOf(parseRunId(param(c, "run_id")), askerOf(call));
        if (!session) throw new AppError("NOT_FOUND", "The run has no slot");
        return answerJson(head, session);
      },
    }),
    endpoint({
      method: "POST",
      path: "/pool/sessions/{run_id}/kill",
      scope: "pool",
      summary: "End a run and its Chrome now",
      description: "Also one that waits. A stop (`POST /runs/{run_id}/stop`) lets it close its browser; this does not.",
      answers: { 200: { description: "Its status afterwards", schema: KilledSchema } },
      errors: ["NOT_FOUND", "CONFLICT", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const runId = parseRunId(param(c, "run_id"));
        const session = await sessionOf(runId, askerOf(call));
        const target = `sessions/${runId}/kill`;
        if (session) return passJson(head, await pool.admin(session.node_id, "POST", target, call));
        return passJson(head, await pool.adminOfAny("POST", target, call));
      },
    }),
    endpoint({
      method: "GET",
      path: "/pool/queue",
      scope: "pool",
      summary: "Read the queue",
      query: QueueQuerySchema,
      answers: { 200: { description: "Who waits, in the order in which slots are given out", schema: QueueSchema } },
      errors: POOL_ERRORS,
      handle: async ({ head, query, ...call }) =>
        passJson(head, await pool.any("GET", `/admin/queue?limit=${query.limit}`, { asker: askerOf(call) })),
    }),
    endpoint({
      method: "GET",
      path: "/pool/audit",
      scope: "pool",
      summary: "Read the audit log",
      query: AuditQuerySchema,
      answers: { 200: { description: "What was asked of the pool by operators, newest first", schema: AuditPageSchema } },
      errors: POOL_ERRORS,
      handle({ head, query, ...call }) {
        const before = query.before === undefined ? "" : `&before=${query.before}`;
        return pool
          .any("GET", `/admin/audit?limit=${query.limit}${before}`, { asker: askerOf(call) })
          .then((answer) => passJson(head, answer));
      },
    }),
  ];
}
