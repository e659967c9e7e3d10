import { describe, expect, it } from "vitest";
import { firstAnswer } from "../../../edge/nodes/first-answer.ts";
import { AppError, type ErrorCode } from "../../../shared/errors.ts";

const failure = (code: ErrorCode, reason?: string, retryAfterS?: number) =>
  new AppError(code, "no", { ...(reason && { details: { reason } }), retryAfterS });
const isFailure = (error: unknown): error is AppError => error instanceof AppError && error.code !== "RATE_LIMITED";

/** What a client is told when the nodes fail like this, one after the other. */
const told = (...errors: AppError[]) =>
  firstAnswer(
    errors.map((error) => ({ error, answers: true })),
    async ({ error }) => Promise.reject(error),
    { isFailure },
  ).catch((error: AppError) => [error.code, error.details?.reason, error.retryAfterS]);

const full = (retryAfterS: number) => failure("POOL_SATURATED", "queue_full", retryAfterS);

describe("no node's answer", () => {
  it("is that the pool is full, with the least Retry-After, where every node has refused or was not there", async () => {
    expect(await told(full(7), failure("POOL_UNREACHABLE", "refused"), full(3))).toEqual(["POOL_SATURATED", "queue_full", 3]);
  });

  it.each([
    [failure("UPSTREAM_TIMEOUT", "timeout"), "UPSTREAM_TIMEOUT", "timeout"],
    [failure("POOL_UNREACHABLE", "reset"), "POOL_UNREACHABLE", "reset"],
    [failure("POOL_SATURATED", "store_away"), "POOL_UNREACHABLE", "store_away"],
    [failure("INTERNAL"), "POOL_UNREACHABLE", "node_error"],
  ])("is never a refusal where a node may have done it: %s", async (doubtful, code, reason) => {
    for (const answers of [[doubtful], [doubtful, full(3)], [full(3), doubtful], [doubtful, failure("RATE_LIMITED", "key_rate", 9)]])
      expect(await told(...answers)).toEqual([code, reason, 1]);
  });

  it("is what the first node that judges the request says", async () => {
    expect(await told(full(3), failure("RATE_LIMITED", "key_rate", 9))).toEqual(["RATE_LIMITED", "key_rate", 9]);
    const judged = { isFailure: (error: unknown): error is AppError => isFailure(error) && error.code === "INTERNAL" };
    const nodes = [failure("INTERNAL"), failure("CONFLICT")].map((error) => ({ error, answers: true }));
    await expect(firstAnswer(nodes, async ({ error }) => Promise.reject(error), judged)).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it("names the lack of nodes only where there is none", async () => {
    expect(await told()).toEqual(["POOL_UNREACHABLE", "no_nodes", 1]);
    expect(await told(failure("POOL_UNREACHABLE", "refused"))).toEqual(["POOL_UNREACHABLE", "refused", 1]);
  });
});
