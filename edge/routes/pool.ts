/** `/pool/nodes`: the members, for operators, and which to take out first. */
import { DrainQuerySchema, emptiest, HealthQuerySchema, HealthSchema, ScaleInSchema } from "../../shared/admin.ts";
import { MemberSchema, MembersSchema, NodeInfoSchema } from "../../shared/node.ts";
import { answerJson, passJson } from "../answers.ts";
import { type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { PoolClient } from "../nodes/pool-client.ts";

export function poolEndpoints({ pool }: { pool: PoolClient }): Endpoint[] {
  const nodeAnswer = { 200: { description: "The node as it is now", schema: NodeInfoSchema } };

  return [
    endpoint({
      method: "GET",
      path: "/pool/nodes",
      scope: "pool",
      summary: "List the nodes",
      answers: { 200: { description: "Members, dead ones too for a while", schema: MembersSchema } },
      errors: POOL_ERRORS,
      handle: async ({ head, ...call }) => answerJson(head, { nodes: await pool.nodes(askerOf(call)) }),
    }),
    endpoint({
      method: "GET",
      path: "/pool/nodes/{node_id}",
      scope: "pool",
      summary: "Read a node",
      answers: { 200: { description: "The node", schema: MemberSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      handle: async ({ c, head, ...call }) => answerJson(head, (await pool.node(param(c, "node_id"), askerOf(call))).member),
    }),
    endpoint({
      method: "GET",
      path: "/pool/nodes/{node_id}/health",
      scope: "pool",
      summary: "Load a page in a Chrome of the node",
      description: "Takes a Chrome beside those of the runs. The answer may be 30 s old, unless `fresh` is asked for.",
      query: HealthQuerySchema,
      answers: { 200: { description: "What came of it", schema: HealthSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      handle: async ({ c, head, query, ...call }) =>
        passJson(head, await pool.admin(param(c, "node_id"), "GET", `health?fresh=${query.fresh}`, call)),
    }),
    endpoint({
      method: "POST",
      path: "/pool/nodes/{node_id}/drain",
      scope: "pool",
      summary: "Drain a node",
      description: "It takes no new runs; those that run may finish, within `grace_s` where that is given.",
      query: DrainQuerySchema,
      answers: nodeAnswer,
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, query, ...call }) {
        const grace = query.grace_s === undefined ? "" : `?grace_s=${query.grace_s}`;
        return passJson(head, await pool.admin(param(c, "node_id"), "POST", `drain${grace}`, call));
      },
    }),
    endpoint({
      method: "POST",
      path: "/pool/nodes/{node_id}/resume",
      scope: "pool",
      summary: "Resume a node",
      description: "It takes runs again.",
      answers: nodeAnswer,
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      handle: async ({ c, head, ...call }) => passJson(head, await pool.admin(param(c, "node_id"), "POST", "resume", call)),
    }),
    endpoint({
      method: "GET",
      path: "/pool/scale-in",
      scope: "pool",
      summary: "Name the node to take out first",
      description: "Of those that take runs, the one with the fewest in hand. Drain it, wait for `drained`, end it.",
      answers: { 200: { description: "The node, or null where none could go", schema: ScaleInSchema } },
      errors: POOL_ERRORS,
      handle: async ({ head, ...call }) => answerJson(head, emptiest(await pool.nodesNow(askerOf(call)))),
    }),
  ];
}
