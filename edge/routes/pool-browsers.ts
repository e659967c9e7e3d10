/** `/pool/browsers`: every Chrome, for operators. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { BrowserInfoSchema, BrowsersSchema } from "../../shared/node.ts";
import { answerJson, passJson } from "../answers.ts";
import { type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { PoolClient } from "../nodes/pool-client.ts";

const noSuchBrowser = () => new AppError("NOT_FOUND", "No browser has this id");

/** Its node. @throws NOT_FOUND */
function nodeIdOf(browserId: string): string {
  const [, nodeId] = /^([A-Za-z0-9_-]{1,100})\.(\d{1,9})$/.exec(browserId) ?? [];
  if (nodeId === undefined) throw noSuchBrowser();
  return nodeId;
}

export function browserEndpoints({ pool }: { pool: PoolClient }): Endpoint[] {
  const act = (verb: "recycle" | "kill", summary: string, description?: string): Endpoint =>
    endpoint({
      method: "POST",
      path: `/pool/browsers/{browser_id}/${verb}`,
      scope: "pool",
      summary,
      description,
      answers: { 200: { description: "The browser", schema: BrowserInfoSchema } },
      errors: ["NOT_FOUND", "CONFLICT", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const browserId = param(c, "browser_id");
        return passJson(head, await pool.admin(nodeIdOf(browserId), "POST", `browsers/${browserId}/${verb}`, call));
      },
    });

  return [
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
      method: "GET",
      path: "/pool/browsers/{browser_id}",
      scope: "pool",
      summary: "Read a browser",
      answers: { 200: { description: "The browser", schema: BrowserInfoSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const browserId = param(c, "browser_id");
        const { value } = await pool.admin(nodeIdOf(browserId), "GET", "browsers", call);
        const found = BrowsersSchema.parse(value).browsers.find((each) => each.browser_id === browserId);
        if (!found) throw noSuchBrowser();
        return answerJson(head, found);
      },
    }),
    act("recycle", "Replace a browser when its run is over"),
    act("kill", "End a browser now", "Its run ends as `BROWSER_CRASHED`, or gets its next attempt."),
  ];
}
