/** `/playbooks`: what is installed on the pool, how it fares, and what is proposed to change. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { isUuid, PLAYBOOK_ID } from "../../shared/ids.ts";
import { PlaybookSchema, PlaybookSummarySchema } from "../../shared/playbook.ts";
import {
  ListProposalsSchema,
  PlaybookHealthSchema,
  PlaybookVersionsSchema,
  ProposalSchema,
  ProposalsSchema,
  RollBackSchema,
} from "../../shared/proposal.ts";
import { passJson } from "../answers.ts";
import { type EdgeContext, type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { PoolClient } from "../nodes/pool-client.ts";

const PROPOSAL_ERRORS = ["NOT_FOUND", "CONFLICT", ...POOL_ERRORS] as const;

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
      handle: async ({ c, head, ...call }) => passJson(head, await pool.any("GET", playbookPath(c), { asker: askerOf(call) })),
    }),
    endpoint({
      method: "GET",
      path: "/playbooks/{id}/health",
      scope: "read",
      summary: "How each step of a playbook fares",
      description: "Of its steps as they are written now: one that was changed begins anew. Kept as long as runs are.",
      answers: { 200: { description: "One entry for each step", schema: PlaybookHealthSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      handle: async ({ c, head, ...call }) => passJson(head, await pool.any("GET", `${playbookPath(c)}/health`, { asker: askerOf(call) })),
    }),
    endpoint({
      method: "GET",
      path: "/playbooks/{id}/proposals",
      scope: "pool",
      summary: "List what repairs propose to change",
      description: "Newest first, the 100 latest. They show what pages said in somebody's runs, so the scope is `pool`.",
      query: ListProposalsSchema,
      answers: { 200: { description: "Each with its diff and where its pictures are", schema: ProposalsSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, query, ...call }) {
        const search = query.status ? `?status=${query.status}` : "";
        return passJson(head, await pool.any("GET", `${playbookPath(c)}/proposals${search}`, { asker: askerOf(call) }));
      },
    }),
    ...(["accept", "reject"] as const).map((verb) =>
      endpoint({
        method: "POST",
        path: `/playbooks/{id}/proposals/{proposal_id}/${verb}`,
        scope: "pool",
        summary:
          verb === "accept" ? "Accept a proposal: runs do it from now on" : "Reject a proposal: the same repair is not proposed again",
        description:
          verb === "accept"
            ? "Makes a version of the playbook that stands in place of its file, as long as the file is what it is. Accepting twice is the same as once."
            : "An accepted one is taken back by a roll-back.",
        answers: { 200: { description: "The proposal as it is now", schema: ProposalSchema } },
        errors: [...PROPOSAL_ERRORS],
        async handle({ c, head, ...call }) {
          const id = param(c, "proposal_id");
          if (!isUuid(id)) throw new AppError("NOT_FOUND", "The playbook has no such proposal");
          return passJson(head, await pool.any("POST", `${playbookPath(c)}/proposals/${id}/${verb}`, { asker: askerOf(call) }));
        },
      }),
    ),
    endpoint({
      method: "GET",
      path: "/playbooks/{id}/versions",
      scope: "pool",
      summary: "List the versions of a playbook",
      description: "Accepted proposals put words of pages into them, so the scope is `pool`.",
      answers: { 200: { description: "Newest first, with their YAML; the 50 latest", schema: PlaybookVersionsSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      handle: async ({ c, head, ...call }) =>
        passJson(head, await pool.any("GET", `${playbookPath(c)}/versions`, { asker: askerOf(call) })),
    }),
    endpoint({
      method: "POST",
      path: "/playbooks/{id}/rollback",
      scope: "pool",
      summary: "Make another version run",
      description:
        "Without `version` the one that the running version was made from. Proposals whose changes are taken back by it are rejected; they can be accepted again.",
      query: RollBackSchema,
      answers: { 200: { description: "The versions as they are now", schema: PlaybookVersionsSchema } },
      errors: [...PROPOSAL_ERRORS],
      async handle({ c, head, query, ...call }) {
        const asker = askerOf(call);
        // Said once, so that a second node that is asked does not go back twice.
        const version = query.version ?? (await versionBefore(pool, c, asker));
        return passJson(head, await pool.any("POST", `${playbookPath(c)}/rollback?version=${version}`, { asker }));
      },
    }),
  ];
}

async function versionBefore(pool: PoolClient, c: EdgeContext, asker: ReturnType<typeof askerOf>): Promise<number> {
  const { value } = await pool.any("GET", `${playbookPath(c)}/versions`, { asker });
  const parsed = PlaybookVersionsSchema.safeParse(value);
  if (!parsed.success) throw new AppError("POOL_UNREACHABLE", "A node's list of versions is none", { cause: parsed.error, retryAfterS: 1 });
  const before = parsed.data.versions.find(({ runs_now }) => runs_now)?.based_on ?? null;
  if (before === null) throw new AppError("CONFLICT", "There is nothing to roll back: the file itself is what runs");
  return before;
}

/** @throws NOT_FOUND for what cannot be an id */
function playbookPath(c: EdgeContext): string {
  const id = param(c, "id");
  if (!PLAYBOOK_ID.test(id)) throw new AppError("NOT_FOUND", "No playbook has this id");
  return `/playbooks/${id}`;
}
