/** `/pool`: nodes and browsers, for operators. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { BrowsersSchema, MemberSchema, MembersSchema, NodeInfoSchema } from "../../shared/node.ts";
import { answerJson, passJson } from "../answers.ts";
import { type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { PoolClient } from "../nodes/pool-client.ts";

const ADMIN_LIMIT_MS = 15_000;

export function poolEndpoints({ pool }: { pool: PoolClient }): Endpoint[] {
  const admin = (verb: "drain" | "resume", summary: string, description: string): Endpoint =>
    endpoint({
      method: "POST",
      path: `/pool/nodes/{node_id}/${verb}`,
      scope: "pool",
      summary,
      description,
      answers: { 200: { description: "The node as it is now", schema: NodeInfoSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const asker = askerOf(call);
        const { node } = await pool.node(param(c, "node_id"), asker);
        return passJson(head, await node.client.json("POST", `/admin/${verb}`, { asker, limitMs: ADMIN_LIMIT_MS }));
      },
    });

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
    admin("drain", "Drain a node", "It takes no new runs; those that run may finish."),
    admin("resume", "Resume a node", "It takes runs again."),
    endpoint({
      method: "GET",
      path: "/pool/browsers",
      scope: "pool",
      summary: "List the browsers",
      answers: {
        200: {
          description: "Every Chrome of the pool; `missing_nodes` did not answer",
          schema: BrowsersSchema.extend({ missing_nodes: z.array(z.string()) }).meta({ id: "PoolBrowsers" }),
        },
      },
      errors: POOL_ERRORS,
      async handle({ head, ...call }) {
        const { browsers, missing } = await pool.browsers(askerOf(call));
        return answerJson(head, { browsers, missing_nodes: missing });
      },
    }),
    endpoint({
      method: "POST",
      path: "/pool/browsers/{browser_id}/recycle",
      scope: "pool",
      summary: "Replace a browser when its run is over",
      answers: { 200: { description: "The browser", schema: z.record(z.string(), z.unknown()) } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const browserId = param(c, "browser_id");
        const [, nodeId] = /^([A-Za-z0-9_-]{1,100})\.(\d{1,9})$/.exec(browserId) ?? [];
        if (nodeId === undefined) throw new AppError("NOT_FOUND", "No browser has this id");
        const asker = askerOf(call);
        const { node } = await pool.node(nodeId, asker);
        return passJson(head, await node.client.json("POST", `/admin/browsers/${browserId}/recycle`, { asker, limitMs: ADMIN_LIMIT_MS }));
      },
    }),
  ];
}
