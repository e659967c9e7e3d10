/** `/playbooks`: what is installed on the pool. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { PLAYBOOK_ID } from "../../shared/ids.ts";
import { PlaybookSchema, PlaybookSummarySchema } from "../../shared/playbook.ts";
import { passJson } from "../answers.ts";
import { type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { PoolClient } from "../nodes/pool-client.ts";

export function playbookEndpoints({ pool }: { pool: PoolClient }): Endpoint[] {
  return [
    endpoint({
      method: "GET",
      path: "/playbooks",
      scope: "read",
      summary: "List the playbooks",
      answers: { 200: { description: "All of them", schema: z.object({ playbooks: z.array(PlaybookSummarySchema) }).loose() } },
      errors: POOL_ERRORS,
      handle: async ({ head, ...call }) => passJson(head, await pool.any("GET", "/playbooks", { asker: askerOf(call) })),
    }),
    endpoint({
      method: "GET",
      path: "/playbooks/{id}",
      scope: "read",
      summary: "Read a playbook",
      answers: { 200: { description: "The playbook, parsed", schema: PlaybookSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const id = param(c, "id");
        if (!PLAYBOOK_ID.test(id)) throw new AppError("NOT_FOUND", "No playbook has this id");
        return passJson(head, await pool.any("GET", `/playbooks/${id}`, { asker: askerOf(call) }));
      },
    }),
  ];
}
