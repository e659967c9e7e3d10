/** Alive, ready, counted. */
import { z } from "zod";
import { AppError, type ErrorDetail, toErrorDetail } from "../../shared/errors.ts";
import { ReadinessSchema } from "../../shared/node.ts";
import { answerJson } from "../answers.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import type { Metrics } from "../metrics.ts";
import type { Members } from "../nodes/members.ts";

export function healthEndpoints({ members, metrics }: { members: Members; metrics: Metrics }): Endpoint[] {
  return [
    endpoint({
      method: "GET",
      path: "/healthz",
      scope: null,
      summary: "Is the edge alive?",
      answers: { 200: { description: "It is", schema: z.object({ status: z.literal("ok") }) } },
      errors: [],
      handle: ({ head }) => answerJson(head, { status: "ok" }),
    }),
    endpoint({
      method: "GET",
      path: "/readyz",
      scope: null,
      summary: "Can runs be taken?",
      description: "As of the edge's latest look at its nodes, at most a second or two ago.",
      answers: { 200: { description: "At least one node is ready", schema: ReadinessSchema } },
      errors: ["POOL_SATURATED"],
      async handle({ head }) {
        await members.ready();
        const reasons = whyNotReady(members);
        const answering = members.everyone().flatMap(({ answers, info }) => (answers && info ? [info] : []));
        const tiers = [...new Set(answering.map(({ tier }) => tier))].toSorted();
        const isolations = [...new Set(answering.flatMap(({ isolation }) => isolation ?? []))].toSorted();
        if (reasons === null) return answerJson(head, { ready: true, reasons: [], tiers, isolations });
        const error: ErrorDetail = toErrorDetail(new AppError("POOL_SATURATED", "No node of the pool is ready", { details: { reasons } }));
        return answerJson({ ...head, "Retry-After": "1" }, { ready: false, reasons, tiers, isolations, error }, 503);
      },
    }),
    endpoint({
      method: "GET",
      path: "/metrics",
      scope: "pool",
      summary: "Counters for Prometheus",
      answers: { 200: { description: "Text format 0.0.4", mediaType: "text/plain" } },
      errors: [],
      async handle({ head }) {
        const nodes = members.everyone();
        const text = await metrics.render({ known: nodes.length, answering: nodes.filter((node) => node.answers).length });
        return new Response(text, { headers: { ...head, "Content-Type": "text/plain; version=0.0.4; charset=utf-8" } });
      },
    }),
  ];
}

/** null: some node is ready. */
function whyNotReady(members: Members): string[] | null {
  const nodes = members.everyone();
  if (nodes.some(({ answers, info }) => answers && info?.state === "ready")) return null;
  return nodes.map(({ answers, info }) => {
    const name = info ? `Node ${info.node_id}` : "A node that is not known yet"; // never its address: this route is open
    return answers && info ? `${name} is ${info.state}` : `${name} does not answer`;
  });
}
