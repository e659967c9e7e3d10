/** What most handlers need of a call. */
import type { Call, EdgeContext } from "./endpoint.ts";
import type { Asker } from "./nodes/node-client.ts";

/** On whose behalf nodes are asked: with the scope `pool` on everybody's. */
export const askerOf = ({ caller, requestId, span }: Pick<Call, "caller" | "requestId" | "span">): Asker => ({
  onlyOwn: caller.onlyOwn,
  requestId,
  traceparent: span.traceparent,
});

/** A parameter of the path. The route has it, or the code is wrong. */
export function param(c: EdgeContext, name: string): string {
  const value = c.req.param(name);
  if (value === undefined) throw new Error(`The route has no parameter ${name}`);
  return value;
}
