/** Playbooks: what is installed, how it fares, what is proposed to change, and which versions there are. */
import { Hono } from "hono";
import { AppError } from "../../shared/errors.ts";
import { isUuid } from "../../shared/ids.ts";
import type { Playbook, PlaybookSummary } from "../../shared/playbook.ts";
import { ListProposalsSchema, RollBackSchema } from "../../shared/proposal.ts";
import { readHealth } from "../drift/health.ts";
import { readVersions, rollBack } from "../drift/versions.ts";
import { whyMissing } from "../playbook/request.ts";
import type { ApiDeps } from "./api-deps.ts";
import { queryOf } from "./request.ts";

export function playbookRoutes({ library, drift }: Pick<ApiDeps, "library" | "drift">): Hono {
  const { proposals } = drift;
  const installed = (id: string): Playbook => {
    const playbook = library.get(id);
    if (playbook) return playbook;
    const { message, issues } = whyMissing(library, id);
    throw new AppError("NOT_FOUND", message, issues.length > 0 ? { details: { issues } } : {});
  };
  /** Ids that are none would be refused by the database, in words of its own. */
  const proposalId = (text: string): string => {
    if (!isUuid(text)) throw new AppError("NOT_FOUND", "The playbook has no such proposal");
    return text;
  };
  return new Hono()
    .get("/", (c) => c.json({ playbooks: library.list().map(toSummary) }))
    .get("/:id", (c) => c.json(installed(c.req.param("id"))))
    .get("/:id/health", async (c) => c.json(await readHealth(drift, installed(c.req.param("id")))))
    .get("/:id/proposals", async (c) => {
      const { status = null } = queryOf(c, ListProposalsSchema);
      return c.json({ proposals: await proposals.list(installed(c.req.param("id")).id, status) });
    })
    .post("/:id/proposals/:proposal_id/accept", async (c) =>
      c.json(await proposals.accept(installed(c.req.param("id")).id, proposalId(c.req.param("proposal_id")))),
    )
    .post("/:id/proposals/:proposal_id/reject", async (c) =>
      c.json(await proposals.reject(installed(c.req.param("id")).id, proposalId(c.req.param("proposal_id")))),
    )
    .get("/:id/versions", async (c) => c.json({ versions: await readVersions(drift, installed(c.req.param("id")).id) }))
    .post("/:id/rollback", async (c) => {
      const { version = null } = queryOf(c, RollBackSchema);
      return c.json({ versions: await rollBack(drift, installed(c.req.param("id")).id, version) });
    });
}

const toSummary = ({ id, name, description, tags, parameters, start_url, steps }: Playbook): PlaybookSummary => ({
  id,
  name,
  description,
  tags,
  parameters,
  start_url,
  steps: steps.length,
});
