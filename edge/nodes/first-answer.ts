/** Asks one node after the other until one answers. */
import { AppError } from "../../shared/errors.ts";

/**
 * The first answer. A node that fails is marked, so that the next request asks another first.
 * @param isFailure may another node do better? Other errors are an answer and are thrown at once
 * @throws when all failed. That the pool is full only where every node has refused: one that took the request and was not heard of again may
 *   have done it, and who hears "refused" posts anew. Then UPSTREAM_TIMEOUT if a node was silent, else POOL_UNREACHABLE
 */
export async function firstAnswer<T, N extends { answers: boolean }>(
  nodes: readonly N[],
  ask: (node: N) => Promise<T>,
  { isFailure, signal }: { isFailure: (error: unknown) => error is AppError; signal?: AbortSignal },
): Promise<T> {
  const failures: AppError[] = [];
  for (const node of nodes) {
    try {
      return await ask(node);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isFailure(error)) throw isRefusal(error) && !failures.every(isRefusal) ? noAnswer(failures) : error;
      if (error.details?.reason === "refused" || error.code === "UPSTREAM_TIMEOUT") node.answers = false;
      failures.push(error);
    }
  }
  throw noAnswer(failures);
}

/** The node has surely not done what it was asked. Where its store is away, a commit may have gone through unheard. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  const { code, details } = error;
  if (code === "RATE_LIMITED" || code === "POOL_SATURATED") return details?.reason !== "store_away";
  return details?.reason === "refused" || details?.reason === "token_refused";
}

function noAnswer(failures: readonly AppError[]): AppError {
  const doubtful = failures.filter((error) => !isRefusal(error));
  const saturated = failures.filter((error) => error.code === "POOL_SATURATED");
  if (saturated.length > 0 && doubtful.length === 0)
    return saturated.reduce((a, b) => ((a.retryAfterS ?? 1) <= (b.retryAfterS ?? 1) ? a : b));
  const cause = doubtful.find((error) => error.code === "UPSTREAM_TIMEOUT") ?? doubtful.at(-1) ?? failures.at(-1);
  const reason = cause ? (cause.details?.reason ?? "node_error") : "no_nodes";
  if (cause?.code === "UPSTREAM_TIMEOUT") {
    return new AppError("UPSTREAM_TIMEOUT", "No node answered in time", { cause, details: { reason }, retryAfterS: 1 });
  }
  return new AppError("POOL_UNREACHABLE", "No node of the pool answered", { cause, details: { reason }, retryAfterS: 1 });
}
