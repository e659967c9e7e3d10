/** Asks one node after the other until one answers. */
import { AppError } from "../../shared/errors.ts";

/**
 * The first answer. A node that fails is marked, so that the next request asks another first.
 * @param isFailure may another node do better? Other errors are an answer and are thrown at once
 * @throws the last failure when all failed: UPSTREAM_TIMEOUT if some node took the request and was silent, else POOL_UNREACHABLE
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
      if (!isFailure(error)) throw error;
      if (error.details?.reason === "refused" || error.code === "UPSTREAM_TIMEOUT") node.answers = false;
      failures.push(error);
    }
  }
  throw noAnswer(failures);
}

function noAnswer(failures: readonly AppError[]): AppError {
  const saturated = failures.filter((error) => error.code === "POOL_SATURATED");
  const cause = saturated[0] ?? failures.find((error) => error.code === "UPSTREAM_TIMEOUT") ?? failures.at(-1);
  if (saturated.length > 0) return saturated.reduce((a, b) => ((a.retryAfterS ?? 1) <= (b.retryAfterS ?? 1) ? a : b));
  const reason = cause?.details?.reason ?? "no_nodes";
  if (cause?.code === "UPSTREAM_TIMEOUT") {
    return new AppError("UPSTREAM_TIMEOUT", "No node answered in time", { cause, details: { reason }, retryAfterS: 1 });
  }
  return new AppError("POOL_UNREACHABLE", "No node of the pool answered", { cause, details: { reason }, retryAfterS: 1 });
}
