/** Thrown → response: the one place where a node turns an error into HTTP. */
import type { Context } from "hono";
import { AppError, ERROR_CODES, toErrorDetail } from "../../shared/errors.ts";
import { StoreOutage } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";

const STORE_AWAY_S = 2;

/** An outage is nobody's fault here, and over soon: another node may do better. */
const storeAway = (cause: StoreOutage): AppError =>
  new AppError("POOL_SATURATED", "The node's store is away; try again", {
    cause,
    retryAfterS: STORE_AWAY_S,
    details: { reason: "store_away" },
  });

export const onError =
  (log: Log) =>
  (caught: Error, c: Context): Response => {
    const thrown = caught instanceof StoreOutage ? storeAway(caught) : caught;
    const error = toErrorDetail(thrown);
    const status = ERROR_CODES[error.code].status ?? 500;
    if (status >= 500 && !(thrown instanceof AppError))
      log.error("A request failed", { method: c.req.method, path: c.req.path, error: thrown });
    const headers = new Headers({ "Content-Type": "application/json" });
    if (thrown instanceof AppError && thrown.retryAfterS !== null) headers.set("Retry-After", String(Math.ceil(thrown.retryAfterS)));
    if (error.code === "RANGE_NOT_SATISFIABLE") headers.set("Content-Range", `bytes */${String(error.details?.size ?? "*")}`);
    return new Response(JSON.stringify({ error }), { status, headers });
  };

export const notFound = (): never => {
  throw new AppError("NOT_FOUND", "The node has no such route");
};
