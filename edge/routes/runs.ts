/** `/runs`: create, read, list, stop, delete. A handler translates HTTP; what becomes of a run is the pool's decision. */
import { z } from "zod";
import { AppError, validationFailed } from "../../shared/errors.ts";
import { parseRunId } from "../../shared/ids.ts";
import { IDEMPOTENCY_HEADER } from "../../shared/node.ts";
import {
  CreateRunSchema,
  DryRunSchema,
  ListRunsSchema,
  RunCreatedSchema,
  RunPageSchema,
  RunSchema,
  StoppedSchema,
} from "../../shared/run.ts";
import { passJson } from "../answers.ts";
import { type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { LiveFirst } from "../nodes/live-first.ts";
import type { Locate } from "../nodes/locate.ts";
import type { JsonAnswer, StoredSource } from "../nodes/node-client.ts";
import type { PoolClient } from "../nodes/pool-client.ts";

export type RunsDeps = { pool: PoolClient; liveFirst: LiveFirst; locate: Locate };

const CreateQuerySchema = z.strictObject({ dry_run: z.enum(["true", "false"]).default("false") });
const LIVE_LIMIT_MS = 2_000; // a frozen owner must not keep the reader from what is stored
const STOP_LIMIT_MS = 15_000; // a node waits up to 10 s for the run's end

export function runEndpoints({ pool, liveFirst, locate }: RunsDeps): Endpoint[] {
  return [
    endpoint({
      method: "POST",
      path: "/runs",
      scope: "runs",
      summary: "Create a run",
      description:
        "Runs a playbook, or a directive that a playbook matches. With `dry_run=true` everything is checked and nothing is created.",
      query: CreateQuerySchema,
      body: CreateRunSchema,
      headers: { [IDEMPOTENCY_HEADER]: "At most 200 characters. The same key with the same body gives the same run again, for 24 hours" },
      answers: {
        202: { description: "Accepted: the run will reach a terminal state, whatever process dies", schema: RunCreatedSchema },
        200: { description: "The outcome of a dry run", schema: DryRunSchema },
      },
      errors: ["CONFLICT", "RATE_LIMITED", "POOL_SATURATED", ...POOL_ERRORS],
      async handle({ c, head, query, text, ...call }) {
        if (query.dry_run === "true") return passJson(head, await pool.checkRun(text, call));
        const idempotencyKey = parseIdempotencyKey(c.req.raw.headers.get(IDEMPOTENCY_HEADER));
        const created = await pool.createRun(text, { ...call, idempotencyKey });
        call.span.set({ "understudy.run_id": runIdIn(created) });
        return passJson(head, created, 202);
      },
    }),
    endpoint({
      method: "GET",
      path: "/runs",
      scope: "read",
      summary: "List runs, newest first",
      query: ListRunsSchema,
      answers: { 200: { description: "A page; `next_cursor` leads to the next", schema: RunPageSchema } },
      errors: POOL_ERRORS,
      async handle({ c, head, query, ...call }) {
        const search = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
        return passJson(head, await pool.any("GET", `/runs?${search}`, { asker: askerOf(call), signal: c.req.raw.signal }));
      },
    }),
    endpoint({
      method: "GET",
      path: "/runs/{run_id}",
      scope: "read",
      summary: "Read a run",
      answers: { 200: { description: "The run as it is now", schema: RunSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const runId = parseRunId(param(c, "run_id"));
        const asker = askerOf(call);
        const isSurely = (text: string) => text.startsWith(`{"run_id":"${runId}",`) && text.endsWith("}");
        const read = (from: "live" | "stored") => async (node: { client: StoredSource }) => {
          const limitMs = from === "live" ? LIVE_LIMIT_MS : undefined;
          const answer = await node.client.json("GET", `/${from}/runs/${runId}`, { asker, limitMs, isSurely });
          return answer.value === undefined ? answer : aboutRun(runId, answer);
        };
        return passJson(head, await liveFirst(runId, { live: read("live"), stored: read("stored") }, { asker }));
      },
    }),
    endpoint({
      method: "DELETE",
      path: "/runs/{run_id}",
      scope: "runs",
      summary: "Delete a finished run with all its artifacts",
      answers: { 204: { description: "Deleted" } },
      errors: ["NOT_FOUND", "CONFLICT", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const runId = parseRunId(param(c, "run_id"));
        const asker = askerOf(call);
        await pool.delete(`/runs/${runId}`, { asker, limitMs: STOP_LIMIT_MS });
        locate.drop(runId, asker);
        return new Response(null, { status: 204, headers: head });
      },
    }),
    endpoint({
      method: "POST",
      path: "/runs/{run_id}/stop",
      scope: "runs",
      summary: "Stop a run",
      description: "Waits up to 10 seconds for the end. A run that is over stays what it is; stopping twice is the same as once.",
      answers: { 200: { description: "The true status", schema: StoppedSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const runId = parseRunId(param(c, "run_id"));
        return passJson(head, await pool.any("POST", `/runs/${runId}/stop`, { asker: askerOf(call), limitMs: STOP_LIMIT_MS }));
      },
    }),
  ];
}

/** Something else in place of the run asked for is worse than no answer. */
function aboutRun(runId: string, answer: JsonAnswer): JsonAnswer {
  const { value } = answer;
  if (typeof value === "object" && value !== null && "run_id" in value && value.run_id === runId) return answer;
  throw new AppError("POOL_UNREACHABLE", "A node answered with something that is not the run", { details: { reason: "garbage" } });
}

function runIdIn({ value }: JsonAnswer): string | null {
  const parsed = RunCreatedSchema.safeParse(value);
  return parsed.success ? parsed.data.run_id : null;
}

function parseIdempotencyKey(header: string | null): string | null {
  if (header === null || /^[\x21-\x7e]([\x20-\x7e]{0,198}[\x21-\x7e])?$/.test(header)) return header;
  throw validationFailed("The header Idempotency-Key", [
    { path: IDEMPOTENCY_HEADER, message: "Expected 1 to 200 visible ASCII characters" },
  ]);
}
